import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  type DeviceInfo,
  type EncoderSession,
  InvalidArgumentError,
  InvariantError,
  type Tokenizer,
} from '@kvasir/interfaces';
import { type Clock, systemClock } from '../clock.js';
import type { CloseOptions } from '../engine-options.js';
import { EngineClosedError, InputTooLongError } from '../errors.js';
import { checkTokenIds } from '../requests/check-request.js';
import { cutVector } from './cut-vector.js';
import { EmbedCall } from './embed-call.js';
import { EmbedderMeters, type EmbedderObserver, type EmbedderStats } from './embedder-meters.js';
import {
  type EmbedderLimits,
  type EmbedderLoadOptions,
  type EmbedderMemory,
  type EmbedderParts,
  type EmbedOptions,
  readEmbedOptions,
} from './embedder-options.js';
import { EmbeddingQueue } from './embedding-queue.js';
import { InputTokenizer } from './input-tokenizer.js';
import { openEmbedder } from './open-embedder.js';

/** Text, or token ids taken as they are: special tokens are not added to them. */
export type EmbedInput = string | ArrayLike<number>;

/** What {@link Embedder.embed} gives. */
export interface Embeddings {
  /** One an input, in their order. */
  readonly vectors: readonly Float32Array[];
  /** Tokens of each input, special tokens included. */
  readonly numTokens: readonly number[];
}

/** Characters that are tokenized in one turn of the event loop, unless one input is longer. */
const CHARACTERS_A_TURN = 32_768;

/**
 * A loaded encoder: texts in, vectors out. Calls share batches, first come, first served; a vector depends on its input alone,
 * to the bit.
 */
export class Embedder {
  /** The model's own name. */
  readonly name: string;
  readonly tokenizer: Tokenizer;
  readonly limits: EmbedderLimits;
  /** Numbers a vector. */
  readonly width: number;
  /** Whether vectors have length 1. */
  readonly isNormalized: boolean;
  readonly memory: EmbedderMemory;
  readonly device: DeviceInfo;
  /** Names everything that decides bits. */
  readonly numericsId: string;
  readonly #session: EncoderSession;
  readonly #clock: Clock;
  readonly #inputs: InputTokenizer;
  readonly #queue: EmbeddingQueue;
  readonly #meters = new EmbedderMeters();
  #closing: Promise<void> | undefined;

  /**
   * Over a session that is open already; {@link Embedder.load} opens one.
   * @throws `InvalidArgumentError` When a batch does not hold the longest input.
   */
  constructor({
    name,
    session,
    tokenizer,
    limits,
    isNormalized,
    availableBytes = 0,
    clock = systemClock,
  }: EmbedderParts) {
    if (limits.maxTokensPerBatch < limits.maxModelLen) {
      throw new InvalidArgumentError(
        'limits',
        `maxTokensPerBatch is ${limits.maxTokensPerBatch}, maxModelLen ${limits.maxModelLen}: expected a batch to hold the longest input`,
      );
    }
    this.name = name;
    this.tokenizer = tokenizer;
    this.limits = limits;
    this.width = session.width;
    this.isNormalized = isNormalized;
    this.device = session.info.device;
    this.numericsId = session.info.numericsId;
    const { weightBytes, mappedBytes, scratchBytes } = session.info.plan;
    this.memory = { weightBytes, mappedBytes, scratchBytes, availableBytes };
    this.#session = session;
    this.#clock = clock;
    this.#inputs = new InputTokenizer(tokenizer);
    this.#queue = new EmbeddingQueue({ session, ...limits, meters: this.#meters, now: () => clock.now() });
  }

  /**
   * Opens an encoder, checks that it fits, and loads it. The event loop is not blocked.
   * @throws `InvalidArgumentError` For an option that cannot be used. @throws `ModelKindError` For a model that is no encoder.
   * @throws {@link InsufficientMemoryError} If it does not fit; nothing was loaded.
   */
  static async load(options: EmbedderLoadOptions): Promise<Embedder> {
    return new Embedder(await openEmbedder(options));
  }

  /**
   * Embeds one input or many.
   * @throws {@link InputTooLongError}, {@link QueueFullError}, {@link EngineClosedError} and `InvalidArgumentError`: nothing was queued.
   * @throws {@link BatchFailedError} When the backend could not run a batch that held one of the inputs.
   */
  async embed(inputs: EmbedInput | readonly EmbedInput[], options: EmbedOptions = {}): Promise<Embeddings> {
    const { signal, arrivalMs = this.#clock.now() } = options;
    const { dimensions, maxTokens } = readEmbedOptions(options, this.width, this.limits.maxModelLen);
    const all = isOneInput(inputs) ? [inputs] : inputs;
    if (all.length === 0) throw new InvalidArgumentError('inputs', 'there are no inputs: expected at least one');
    this.#checkOpen();
    signal?.throwIfAborted();
    // Before the work of tokenizing, which an overloaded process can do without.
    this.#queue.checkRoom(all.length);
    const sequences = await this.#tokenizeAll(all, maxTokens, signal);
    this.#checkOpen();
    const call = new EmbedCall(sequences, arrivalMs);
    this.#queue.submit(call);
    if (signal !== undefined) this.#follow(call, signal);
    const vectors = await call.vectors;
    return {
      vectors: vectors.map((vector) => cutVector(vector, dimensions, this.isNormalized)),
      numTokens: sequences.map(({ length }) => length),
    };
  }

  /**
   * Token ids of a text, special tokens included.
   * @param maxTokens - A longer text loses tokens at its end; the special tokens after it stay. Default: nothing is cut.
   */
  tokenize(text: string, maxTokens?: number): Int32Array {
    return this.#inputs.encode(text, maxTokens);
  }

  /** @throws {@link QueueFullError} When a call of this many inputs would be refused now. */
  checkRoom(numInputs: number): void {
    this.#queue.checkRoom(numInputs);
  }

  /** Counters and gauges; cheap enough for every scrape. */
  stats(): EmbedderStats {
    const { numRunning, numWaiting, numWaitingTokens } = this.#queue;
    const { numCalls, numInputs, promptTokens, numBatches, numFailedBatches, finished } = this.#meters;
    return {
      ...{ numRunning, numWaiting, numWaitingTokens, numCalls, numInputs },
      ...{ promptTokens, numBatches, numFailedBatches, finished: { ...finished } },
    };
  }

  /** Adds an observer; returns the way to take it off. */
  observe(observer: EmbedderObserver): () => void {
    return this.#meters.observers.add(observer);
  }

  /**
   * Takes no more calls, lets those that were taken end, and closes the session. `drainTimeoutMs`: calls that still have inputs
   * waiting after it reject with {@link EngineClosedError}; default: none do.
   */
  close(options: CloseOptions = {}): Promise<void> {
    this.#closing ??= this.#close(options.drainTimeoutMs);
    return this.#closing;
  }

  /** Lets what was taken end. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** @throws `InvariantError` When the queue and its counts disagree. */
  checkIntegrity(): void {
    this.#queue.checkIntegrity();
    const { numRunning, numWaiting, numInputs, finished } = this.stats();
    const numEnded = finished.stop + finished.abort + finished.error;
    // What runs may have ended already, with its call.
    const isComplete = numEnded + numWaiting <= numInputs && numInputs <= numEnded + numWaiting + numRunning;
    if (!isComplete) {
      throw new InvariantError('inputs of an embedder got lost', { numRunning, numWaiting, numInputs, numEnded });
    }
  }

  #checkOpen(): void {
    if (this.#closing !== undefined) throw new EngineClosedError();
  }

  async #tokenizeAll(
    inputs: readonly EmbedInput[],
    maxTokens: number | undefined,
    signal: AbortSignal | undefined,
  ): Promise<readonly Int32Array[]> {
    const { maxModelLen } = this.limits;
    const sequences: Int32Array[] = [];
    let numCharacters = 0;
    for (const [index, input] of inputs.entries()) {
      if (typeof input === 'string') {
        numCharacters += input.length;
        if (numCharacters > CHARACTERS_A_TURN && index > 0) {
          await nextTurn();
          signal?.throwIfAborted();
          numCharacters = input.length;
        }
      }
      const ids = typeof input === 'string' ? this.tokenize(input, maxTokens) : this.#checkIds(input, index, maxTokens);
      if (ids.length > maxModelLen) throw new InputTooLongError(index, ids.length, maxModelLen);
      sequences.push(ids);
    }
    return sequences;
  }

  /** A copy, so that the caller may do with its array what it likes; `Int32Array.from` alone would make a token id of anything. */
  #checkIds(input: ArrayLike<number>, index: number, maxTokens: number | undefined): Int32Array {
    const ids = Int32Array.from(input);
    const wrong = ids.findIndex((id, i) => id !== input[i]);
    if (wrong >= 0) {
      throw new InvalidArgumentError(
        'inputs',
        `inputs[${index}][${wrong}] is ${String(input[wrong])}: expected a token id`,
      );
    }
    if (ids.length === 0) {
      throw new InvalidArgumentError('inputs', `inputs[${index}] has no tokens: expected at least one`);
    }
    checkTokenIds(`inputs[${index}]`, ids, this.tokenizer.vocabSize);
    return ids.slice(0, maxTokens);
  }

  #follow(call: EmbedCall, signal: AbortSignal): void {
    const onAbort = () => this.#queue.fail(call, signal.reason, 'abort');
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
    call.onSettled(() => signal.removeEventListener('abort', onAbort));
  }

  async #close(drainTimeoutMs: number | undefined): Promise<void> {
    const idle = this.#queue.idle();
    if (drainTimeoutMs !== undefined) {
      const timer = new AbortController();
      if (drainTimeoutMs > 0) await Promise.race([idle, this.#clock.sleep(drainTimeoutMs, timer.signal)]);
      timer.abort();
      this.#queue.failWaiting(new EngineClosedError());
    }
    await idle;
    await this.#session.close();
    await this.tokenizer.close?.();
  }
}

function isOneInput(inputs: EmbedInput | readonly EmbedInput[]): inputs is EmbedInput {
  if (typeof inputs === 'string') return true;
  return inputs.length === 0 ? !Array.isArray(inputs) : typeof inputs[0] === 'number';
}
