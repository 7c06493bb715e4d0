import { DownloadError } from '../../errors.js';

const MAX_REDIRECTS = 8;

/** How {@link request} goes about it. */
export interface RequestOptions {
  readonly headers?: Readonly<Record<string, string>>;
  /** Time until a response starts. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

/** A response and the headers of all hops to it, the first hop's winning: a hub tells about a file before it redirects to its store. */
export interface FollowedResponse {
  readonly status: number;
  readonly body: ReadableStream<Uint8Array> | null;
  readonly header: (name: string) => string | undefined;
  /** As {@link header}, of the last hop alone. */
  readonly lastHeader: (name: string) => string | undefined;
}

/**
 * Sends a GET and follows redirects. `authorization` goes to the first origin only.
 * @throws {@link DownloadError} Without a status when no response came.
 */
export async function request(url: string, options: RequestOptions): Promise<FollowedResponse> {
  const first = new URL(url);
  const hops: Headers[] = [];
  for (let target = first; hops.length <= MAX_REDIRECTS; ) {
    const response = await send(
      target,
      target.origin === first.origin ? options.headers : withoutAuthorization(options.headers),
      options,
    );
    hops.push(response.headers);
    const location = response.headers.get('location');
    if (response.status < 300 || response.status >= 400 || location === null) return followed(response, hops);
    await response.body?.cancel();
    target = nextTarget(url, target, location);
  }
  throw new DownloadError(url, `got more than ${MAX_REDIRECTS} redirects`);
}

async function send(
  target: URL,
  headers: RequestOptions['headers'],
  { timeoutMs, signal }: RequestOptions,
): Promise<Response> {
  const timeout = new AbortController();
  const timer = setTimeout(() => timeout.abort(), timeoutMs);
  try {
    const signals = signal === undefined ? [timeout.signal] : [timeout.signal, signal];
    return await fetch(target, { headers: { ...headers }, redirect: 'manual', signal: AbortSignal.any(signals) });
  } catch (cause) {
    if (signal?.aborted) throw signal.reason;
    const problem = timeout.signal.aborted ? `no answer within ${timeoutMs} ms` : `not reachable (${causeText(cause)})`;
    throw new DownloadError(target.origin, problem, { cause });
  } finally {
    clearTimeout(timer);
  }
}

function nextTarget(url: string, from: URL, location: string): URL {
  const target = URL.canParse(location, from.href) ? new URL(location, from) : undefined;
  if (target !== undefined && (target.protocol === 'https:' || target.protocol === from.protocol)) return target;
  throw new DownloadError(url, `was redirected to '${location.slice(0, 200)}', which is not followed`);
}

function withoutAuthorization(headers: RequestOptions['headers']): RequestOptions['headers'] {
  return Object.fromEntries(Object.entries(headers ?? {}).filter(([name]) => name.toLowerCase() !== 'authorization'));
}

function followed(response: Response, hops: readonly Headers[]): FollowedResponse {
  return {
    status: response.status,
    body: response.body,
    header: (name) => hops.map((headers) => headers.get(name)).find((value) => value !== null) ?? undefined,
    lastHeader: (name) => response.headers.get(name) ?? undefined,
  };
}

/** The innermost reason of a failed fetch, such as `ECONNREFUSED`. */
export function causeText(error: unknown): string {
  const { cause, code, message } = error as { cause?: unknown; code?: string; message?: string };
  return cause === undefined ? (code ?? message ?? String(error)) : causeText(cause);
}
