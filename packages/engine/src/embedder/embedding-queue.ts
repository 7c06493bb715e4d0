import { type EncodeBatch, type EncoderSession, InvariantError } from '@kvasir/interfaces';
import { BatchFailedError, QueueFullError } from '../errors.js';
import { DrainRate } from '../requests/drain-rate.js';
import type { EmbedCall } from './embed-call.js';
import type { EmbedderMeters } from './embedder-meters.js';

/** What an {@link EmbeddingQueue} drives, and within what. */
export interface EmbeddingQueueOptions {
  readonly session: EncoderSession;
  readonly maxTokensPerBatch: number;
  readonly maxSequencesPerBatch: number;
  readonly maxQueuedInputs: number;
  readonly meters: EmbedderMeters;
  readonly now: () => number;
}

/** An input of a call, as a row of a batch. */
interface BatchRow {
  readonly call: EmbedCall;
  readonly index: number;
}

/**
 * Packs the waiting inputs of all calls into batches, first come, first served, and runs one batch at a time: what arrives while it runs
 * shares the next one. Calls that come in one turn of the event loop share their first. With nothing to run there is no timer.
 *
 * ```
 * calls   A: a0 a1 a2 | B: b0 | C: c0 c1        in order of arrival; numTaken of each marks what batches have had
 * batch      [a1 a2     b0      c0]             up to maxTokensPerBatch, maxSequencesPerBatch; it never skips ahead
 * ```
 */
export class EmbeddingQueue {
  readonly #options: EmbeddingQueueOptions;
  /** Calls with inputs that no batch has taken, in order of arrival. */
  readonly #waiting = new Set<EmbedCall>();
  readonly #drainRate = new DrainRate();
  #rows: readonly BatchRow[] = [];
  #numWaiting = 0;
  #numWaitingTokens = 0;
  #isWoken = false;
  #onIdle: (() => void)[] = [];

  constructor(options: EmbeddingQueueOptions) {
    this.#options = options;
  }

  get numRunning(): number {
    return this.#rows.length;
  }

  get numWaiting(): number {
    return this.#numWaiting;
  }

  get numWaitingTokens(): number {
    return this.#numWaitingTokens;
  }

  /**
   * An empty queue takes any call, however many inputs it has.
   * @throws {@link QueueFullError}
   */
  checkRoom(numInputs: number): void {
    const { maxQueuedInputs, now } = this.#options;
    const numPlaces = this.#numWaiting + numInputs - maxQueuedInputs;
    if (this.#numWaiting === 0 || numPlaces <= 0) return;
    const demand = { numPlaces, leastTokensLeft: undefined, numRunning: this.#rows.length };
    throw new QueueFullError(this.#numWaiting, maxQueuedInputs, this.#drainRate.retryAfterMs(demand, now()), 'inputs');
  }

  /**
   * Queues every input of a call, each with 1 to `maxTokensPerBatch` tokens.
   * @throws {@link QueueFullError} Nothing was queued.
   */
  submit(call: EmbedCall): void {
    this.checkRoom(call.inputs.length);
    if (this.#numWaiting === 0) this.#drainRate.restart(this.#options.now());
    this.#options.meters.submitted(call.inputs.length);
    this.#waiting.add(call);
    this.#numWaiting += call.inputs.length;
    for (const { length } of call.inputs) this.#numWaitingTokens += length;
    this.#wake();
  }

  /** Ends a call: what waits of it is forgotten, what runs is thrown away when it comes. */
  fail(call: EmbedCall, reason: unknown, finish: 'abort' | 'error'): void {
    if (call.isSettled) return;
    this.#forget(call);
    this.#options.meters.finished[finish] += call.inputs.length - call.numDone;
    call.fail(reason);
    this.#tellIdle();
  }

  /** Ends every call that has inputs waiting. */
  failWaiting(reason: unknown): void {
    for (const call of this.#waiting) this.fail(call, reason, 'abort');
  }

  /** Resolves when nothing waits and nothing runs. */
  idle(): Promise<void> {
    return new Promise((resolve) => {
      this.#onIdle.push(resolve);
      this.#tellIdle();
    });
  }

  /** @throws `InvariantError` When counts and calls disagree. */
  checkIntegrity(): void {
    const { maxSequencesPerBatch, maxTokensPerBatch } = this.#options;
    let numWaiting = 0;
    let numTokens = 0;
    let numSettled = 0;
    let numExhausted = 0;
    for (const call of this.#waiting) {
      if (call.isSettled) numSettled++;
      if (call.numTaken === call.inputs.length) numExhausted++;
      numWaiting += call.numWaiting;
      numTokens += countTokens(call.inputs.slice(call.numTaken));
    }
    const runningTokens = countTokens(this.#rows.map(({ call, index }) => call.inputs[index]!));
    const facts = {
      ...{ numWaiting, numTokens, numSettled, numExhausted, runningTokens, numRunning: this.#rows.length },
      ...{ countedWaiting: this.#numWaiting, countedTokens: this.#numWaitingTokens },
    };
    const isConsistent =
      numWaiting === this.#numWaiting &&
      numTokens === this.#numWaitingTokens &&
      numSettled + numExhausted === 0 &&
      runningTokens <= maxTokensPerBatch &&
      this.#rows.length <= maxSequencesPerBatch &&
      (numWaiting === 0 || this.#isWoken || this.#rows.length > 0);
    if (!isConsistent) throw new InvariantError('the queue of an embedder does not add up', facts);
  }

  #wake(): void {
    if (this.#isWoken || this.#rows.length > 0) return;
    this.#isWoken = true;
    setImmediate(() => {
      this.#isWoken = false;
      void this.#run();
    });
  }

  /** Runs batches until nothing waits. Never rejects: errors go to the calls. */
  async #run(): Promise<void> {
    const { session, meters, now } = this.#options;
    while (this.#numWaiting > 0) {
      const rows = this.#take();
      this.#rows = rows;
      const batch = pack(rows);
      const submittedMs = now();
      try {
        const vectors = await session.encode(batch);
        checkVectors(vectors, rows.length, session.width);
        const elapsedMs = now() - submittedMs;
        meters.batch({ numSequences: rows.length, numTokens: batch.tokenIds.length, elapsedMs });
        this.#deliver(rows, vectors, submittedMs, elapsedMs);
      } catch (cause) {
        meters.numFailedBatches++;
        const error = new BatchFailedError(rows.length, batch.tokenIds.length, cause);
        for (const { call } of rows) this.fail(call, error, 'error');
      }
      this.#drainRate.finished(rows.length, now());
      this.#rows = [];
    }
    this.#tellIdle();
  }

  /** The next rows: as many as fit, at least one. */
  #take(): readonly BatchRow[] {
    const { maxTokensPerBatch, maxSequencesPerBatch } = this.#options;
    const rows: BatchRow[] = [];
    let numTokens = 0;
    for (const call of this.#waiting) {
      while (call.numTaken < call.inputs.length) {
        const { length } = call.inputs[call.numTaken]!;
        if (rows.length === maxSequencesPerBatch || numTokens + length > maxTokensPerBatch) return rows;
        rows.push({ call, index: call.numTaken++ });
        numTokens += length;
        this.#numWaiting--;
        this.#numWaitingTokens -= length;
      }
      this.#waiting.delete(call);
    }
    return rows;
  }

  #deliver(rows: readonly BatchRow[], vectors: Float32Array, submittedMs: number, inferenceMs: number): void {
    const { session, meters, now } = this.#options;
    rows.forEach(({ call, index }, row) => {
      if (call.isSettled) return;
      meters.embedded({
        numTokens: call.inputs[index]!.length,
        queueMs: submittedMs - call.arrivalMs,
        inferenceMs,
        endToEndMs: now() - call.arrivalMs,
      });
      call.deliver(index, vectors.slice(row * session.width, (row + 1) * session.width));
    });
  }

  #forget(call: EmbedCall): void {
    if (!this.#waiting.delete(call)) return;
    this.#numWaiting -= call.numWaiting;
    this.#numWaitingTokens -= countTokens(call.inputs.slice(call.numTaken));
  }

  #tellIdle(): void {
    if (this.#numWaiting > 0 || this.#rows.length > 0) return;
    for (const resolve of this.#onIdle.splice(0)) resolve();
  }
}

function pack(rows: readonly BatchRow[]): EncodeBatch {
  const lengths = Int32Array.from(rows, ({ call, index }) => call.inputs[index]!.length);
  const tokenIds = new Int32Array(lengths.reduce((sum, length) => sum + length, 0));
  let at = 0;
  for (const { call, index } of rows) {
    const ids = call.inputs[index]!;
    tokenIds.set(ids, at);
    at += ids.length;
  }
  return { tokenIds, lengths };
}

function checkVectors(vectors: Float32Array, numRows: number, width: number): void {
  if (vectors.length === numRows * width) return;
  throw new InvariantError('a session gave another number of values', { got: vectors.length, numRows, width });
}

function countTokens(inputs: readonly Int32Array[]): number {
  return inputs.reduce((sum, { length }) => sum + length, 0);
}
