import type { FinishReason, OutputDelta, PositionLogprobs, RequestUsage } from '@kvasir/interfaces';

/** What is added to one choice of a request. */
export interface OutputChunk {
  /** Choice. Default 0. */
  readonly index?: number | undefined;
  readonly text: string;
  readonly tokenIds: readonly number[];
  readonly logprobs?: readonly PositionLogprobs[] | undefined;
  readonly promptLogprobs?: readonly (PositionLogprobs | undefined)[] | undefined;
  readonly finishReason?: FinishReason | undefined;
  readonly stopReason?: string | number | undefined;
  readonly cumulativeLogprob?: number | undefined;
  readonly score?: number | undefined;
  readonly usage: RequestUsage;
}

/** What a request looked like at admission. */
export interface RequestFacts {
  readonly requestId: string;
  readonly promptTokenIds: Int32Array;
  /** The seed in use, drawn or given. */
  readonly seed: bigint;
  /** Choices that it will have. Default 1. */
  readonly numChoices?: number | undefined;
}

type Waiter = { resolve: (result: IteratorResult<OutputDelta, undefined>) => void; reject: (error: unknown) => void };

/**
 * Deltas of one request, for one consumer. It is over when each choice has had its last delta.
 *
 * What nobody has asked for yet is merged into one pending delta a choice, so a slow consumer never holds more than its own tokens.
 * Leaving the loop calls `onLeave`, once, unless the stream had ended.
 */
export class OutputStream implements AsyncIterableIterator<OutputDelta, undefined, undefined> {
  readonly requestId: string;
  readonly promptTokenIds: Int32Array;
  readonly seed: bigint;
  readonly numChoices: number;
  readonly #onLeave: () => void;
  #waiters: Waiter[] = [];
  /** By choice, in the order in which they will be read. */
  readonly #pending = new Map<number, PendingDelta>();
  readonly #open: Set<number>;
  #error: { readonly reason: unknown } | undefined;
  #ended = false;

  constructor(facts: RequestFacts, onLeave: () => void) {
    this.requestId = facts.requestId;
    this.promptTokenIds = facts.promptTokenIds;
    this.seed = facts.seed;
    this.numChoices = facts.numChoices ?? 1;
    this.#open = new Set(Array.from({ length: this.numChoices }, (_, index) => index));
    this.#onLeave = onLeave;
  }

  /** Choices that have not had their last delta. */
  get openChoices(): readonly number[] {
    return [...this.#open];
  }

  /** Adds a chunk; one with a finish reason is the last of its choice. Ignored after the choice's end. */
  push(chunk: OutputChunk): void {
    const index = chunk.index ?? 0;
    if (this.#ended || !this.#open.has(index)) return;
    if (chunk.finishReason !== undefined) this.#open.delete(index);
    this.#ended = this.#open.size === 0;
    this.#pending.set(index, merge(this.requestId, index, this.#pending.get(index), chunk));
    this.#settle();
  }

  /** Ends the stream with an error, after what is pending. Ignored after the end. */
  fail(reason: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#error = { reason };
    this.#settle();
  }

  /** The next delta: all that has come since the last one. */
  next(): Promise<IteratorResult<OutputDelta, undefined>> {
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject });
      this.#settle();
    });
  }

  /** Leaves the stream: drops what is pending and aborts the request if it still runs. */
  return(): Promise<IteratorResult<OutputDelta, undefined>> {
    const left = !this.#ended;
    this.#ended = true;
    this.#pending.clear();
    this.#error = undefined;
    this.#settle();
    if (left) this.#onLeave();
    return Promise.resolve({ done: true, value: undefined });
  }

  /** The stream itself: it can be read once. */
  [Symbol.asyncIterator](): this {
    return this;
  }

  /** As {@link OutputStream.return}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  #settle(): void {
    while (this.#waiters.length > 0) {
      const [value] = this.#pending.values();
      if (value !== undefined) {
        this.#pending.delete(value.index);
        this.#waiters.shift()?.resolve({ done: false, value });
      } else if (this.#error !== undefined) {
        const { reason } = this.#error;
        this.#error = undefined;
        this.#waiters.shift()?.reject(reason);
      } else if (this.#ended) {
        this.#waiters.shift()?.resolve({ done: true, value: undefined });
      } else return;
    }
  }
}

/** A pending delta while nobody has seen it yet. */
interface PendingDelta extends OutputDelta {
  text: string;
  readonly tokenIds: number[];
  logprobs?: PositionLogprobs[];
  promptLogprobs?: readonly (PositionLogprobs | undefined)[];
  finishReason?: FinishReason;
  stopReason?: string | number;
  cumulativeLogprob?: number;
  score?: number;
  usage: RequestUsage;
}

function merge(requestId: string, index: number, pending: PendingDelta | undefined, chunk: OutputChunk): PendingDelta {
  const delta: PendingDelta = pending ?? { requestId, index, text: '', tokenIds: [], usage: chunk.usage };
  delta.text += chunk.text;
  for (const id of chunk.tokenIds) delta.tokenIds.push(id);
  if (chunk.logprobs !== undefined) {
    delta.logprobs ??= [];
    for (const each of chunk.logprobs) delta.logprobs.push(each);
  }
  if (chunk.promptLogprobs !== undefined) delta.promptLogprobs = chunk.promptLogprobs;
  if (chunk.finishReason !== undefined) delta.finishReason = chunk.finishReason;
  if (chunk.stopReason !== undefined) delta.stopReason = chunk.stopReason;
  if (chunk.cumulativeLogprob !== undefined) delta.cumulativeLogprob = chunk.cumulativeLogprob;
  if (chunk.score !== undefined) delta.score = chunk.score;
  delta.usage = chunk.usage;
  return delta;
}
