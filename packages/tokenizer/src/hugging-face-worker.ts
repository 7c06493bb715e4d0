import { createRequire } from 'node:module';
import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from 'node:worker_threads';
import { KvasirError } from '@kvasir/interfaces';

/** What the worker reads from a `tokenizer.json`. */
export interface HuggingFaceVocabulary {
  /** Token strings by id; ids without a token hold `''`. */
  readonly tokens: readonly string[];
  readonly addedTokens: readonly { readonly id: number; readonly content: string; readonly special: boolean }[];
  /** The `decoder` entry. */
  readonly decoder: unknown;
}

type Answer = { readonly value: unknown } | { readonly error: string };

const MAX_WAIT_MS = 120_000;

// Plain CommonJS in a string: it must start from sources, from a bundle and from either module format alike.
const WORKER_SOURCE = `
const { workerData } = require('node:worker_threads');
const { readFileSync } = require('node:fs');
const { port, numAnswers, modulePath, tokenizerJsonPath } = workerData;
let tokenizer;
function answer(message) {
  port.postMessage(message);
  Atomics.add(numAnswers, 0, 1);
  Atomics.notify(numAnswers, 0);
}
function load() {
  const { Tokenizer } = require(modulePath);
  tokenizer = Tokenizer.fromFile(tokenizerJsonPath);
  // Some files keep how their model was trained; what is cut or filled up here is for the caller to say.
  tokenizer.disableTruncation();
  tokenizer.disablePadding();
  const json = JSON.parse(readFileSync(tokenizerJsonPath, 'utf8'));
  const tokens = [];
  for (const [content, id] of Object.entries(tokenizer.getVocab(true))) tokens[id] = content;
  for (let id = 0; id < tokens.length; id++) tokens[id] ??= '';
  const addedTokens = (json.added_tokens ?? []).map(({ id, content, special }) => ({ id, content, special: special === true }));
  return { tokens, addedTokens, decoder: json.decoder ?? null };
}
port.on('message', async (request) => {
  try {
    if (request === null) return answer({ value: load() });
    const encoding = await tokenizer.encode(request.text, null, { addSpecialTokens: request.addSpecialTokens });
    answer({ value: Int32Array.from(encoding.getIds()) });
  } catch (error) {
    answer({ error: String(error?.message ?? error) });
  }
});
`;

/**
 * Hugging Face `tokenizers` behind a synchronous call. The native package encodes only by promise, so it lives in a worker
 * thread and the caller waits on a shared counter; the worker never keeps the process alive.
 */
export class HuggingFaceWorker {
  readonly #numAnswers = new Int32Array(new SharedArrayBuffer(4));
  #numRequests = 0;
  readonly #port: MessagePort;
  readonly #worker: Worker;
  readonly #path: string;
  #isRunning = true;

  constructor(tokenizerJsonPath: string) {
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    this.#path = tokenizerJsonPath;
    const modulePath = createRequire(import.meta.url).resolve('tokenizers');
    const workerData = { port: port2, numAnswers: this.#numAnswers, modulePath, tokenizerJsonPath };
    // Flags of the process, such as --input-type, are not meant for the worker's source.
    const options = { eval: true, execArgv: [], workerData, transferList: [port2] };
    this.#worker = new Worker(WORKER_SOURCE, options);
    this.#worker.unref();
    this.#worker.once('exit', () => {
      this.#isRunning = false;
    });
  }

  /** Reads the file. Waits for the worker without blocking. */
  async load(): Promise<HuggingFaceVocabulary> {
    const answered = new Promise<Answer>((resolve) => {
      this.#port.once('message', resolve);
      this.#worker.once('error', (error) => resolve({ error: error.message }));
    });
    this.#numRequests++;
    this.#port.postMessage(null);
    const answer = await answered;
    this.#port.unref();
    return this.#unwrap(answer) as HuggingFaceVocabulary;
  }

  /** Ids of `text`; the calling thread sleeps meanwhile. */
  encode(text: string, addSpecialTokens: boolean): Int32Array {
    if (!this.#isRunning)
      throw new KvasirError('ERR_TOKENIZER', `${this.#path}: the tokenizer is closed; load it again`);
    this.#numRequests++;
    this.#port.postMessage({ text, addSpecialTokens });
    this.#awaitAnswer(text.length);
    let answer: Answer | undefined;
    // The last one counts: an answer that came too late for its own request may stand before it.
    for (let next = receiveMessageOnPort(this.#port); next !== undefined; next = receiveMessageOnPort(this.#port)) {
      answer = next.message as Answer;
    }
    return this.#unwrap(answer ?? { error: 'the worker counted an answer that it did not send' }) as Int32Array;
  }

  /** Ends the thread. */
  async close(): Promise<void> {
    this.#isRunning = false;
    await this.#worker.terminate();
  }

  /** Sleeps until every request is answered: an answer is posted before it is counted. */
  #awaitAnswer(length: number): void {
    for (;;) {
      const numAnswers = Atomics.load(this.#numAnswers, 0);
      if (numAnswers === this.#numRequests) return;
      if (Atomics.wait(this.#numAnswers, 0, numAnswers, MAX_WAIT_MS) === 'timed-out') {
        throw new KvasirError(
          'ERR_TOKENIZER',
          `${this.#path}: no answer for ${length} characters within ${MAX_WAIT_MS} ms`,
        );
      }
    }
  }

  #unwrap(answer: Answer): unknown {
    if ('value' in answer) return answer.value;
    throw new KvasirError('ERR_TOKENIZER', `${this.#path}: ${answer.error}`);
  }
}
