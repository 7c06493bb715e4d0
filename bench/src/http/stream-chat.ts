import { type Agent, type IncomingMessage, request } from 'node:http';

/** One streamed chat request. */
export interface ChatCall {
  readonly port: number;
  /** The whole JSON body; `stream` and `include_usage` are added. */
  readonly body: Readonly<Record<string, unknown>>;
  readonly agent?: Agent;
  readonly signal?: AbortSignal;
  /** Called at each chunk that carries text. */
  readonly onText?: () => void;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What a client saw of one answer with status 200. Times on the clock of `performance.now()`. */
export interface ChatStream {
  readonly sentAt: number;
  /** Of each chunk that carried text. */
  readonly arrivals: readonly number[];
  readonly endedAt: number;
  readonly text: string;
  readonly finishReason: string | undefined;
  readonly promptTokens: number;
  readonly completionTokens: number;
  readonly cachedTokens: number;
  /** Whether the stream ended with its end mark. */
  readonly isComplete: boolean;
}

/** An answer that is not 200. */
export class HttpStatusError extends Error {
  readonly status: number;
  readonly retryAfter: string | undefined;
  readonly body: string;

  constructor(status: number, retryAfter: string | undefined, body: string) {
    super(`status ${status}: ${body.slice(0, 200)}`);
    this.status = status;
    this.retryAfter = retryAfter;
    this.body = body;
  }
}

interface ChatEvent {
  readonly choices: readonly {
    readonly delta?: { readonly content?: string | null };
    readonly finish_reason?: string | null;
  }[];
  readonly usage?: {
    readonly prompt_tokens: number;
    readonly completion_tokens: number;
    readonly prompt_tokens_details?: { readonly cached_tokens?: number } | null;
  } | null;
}

/**
 * Sends one request to `/v1/chat/completions` and reads its stream to the end.
 * @throws {@link HttpStatusError}; the signal's reason; an error of the socket.
 */
export function streamChat(call: ChatCall): Promise<ChatStream> {
  const text = JSON.stringify({ ...call.body, stream: true, stream_options: { include_usage: true } });
  return new Promise((resolve, reject) => {
    const sentAt = performance.now();
    const outgoing = request(
      {
        // By default a connection a request: some servers close those that they have answered on.
        agent: call.agent ?? false,
        ...(call.signal === undefined ? {} : { signal: call.signal }),
        host: '127.0.0.1',
        port: call.port,
        method: 'POST',
        path: '/v1/chat/completions',
        headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text), ...call.headers },
      },
      (response) => {
        const reading = response.statusCode === 200 ? readStream(response, sentAt, call.onText) : readError(response);
        reading.then(resolve, reject);
      },
    );
    outgoing.on('error', reject);
    outgoing.end(text);
  });
}

async function readStream(response: IncomingMessage, sentAt: number, onText?: () => void): Promise<ChatStream> {
  const arrivals: number[] = [];
  let text = '';
  let finishReason: string | undefined;
  let usage: ChatEvent['usage'];
  let isComplete = false;
  let pending = '';
  response.setEncoding('utf8');
  for await (const chunk of response) {
    const now = performance.now();
    const lines = (pending + chunk).split('\n');
    pending = lines.pop() as string;
    for (const line of lines) {
      if (line === 'data: [DONE]') isComplete = true;
      if (!line.startsWith('data: {')) continue;
      const event = JSON.parse(line.slice(6)) as ChatEvent;
      const [choice] = event.choices;
      if (choice?.delta?.content) {
        arrivals.push(now);
        text += choice.delta.content;
        onText?.();
      }
      finishReason = choice?.finish_reason ?? finishReason;
      usage = event.usage ?? usage;
    }
  }
  return {
    sentAt,
    arrivals,
    endedAt: performance.now(),
    text,
    finishReason,
    promptTokens: usage?.prompt_tokens ?? 0,
    completionTokens: usage?.completion_tokens ?? 0,
    cachedTokens: usage?.prompt_tokens_details?.cached_tokens ?? 0,
    isComplete,
  };
}

async function readError(response: IncomingMessage): Promise<never> {
  let body = '';
  response.setEncoding('utf8');
  for await (const chunk of response) body += chunk;
  throw new HttpStatusError(response.statusCode ?? 0, response.headers['retry-after'], body);
}
