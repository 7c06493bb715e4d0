import type { SequenceId, SlotId } from './ids.js';

/** What the scheduler must know of a sequence. */
export interface SequenceSpec {
  readonly id: SequenceId;
  readonly promptTokenIds: Int32Array;
  /** Prompt plus the most output tokens, within the model's limit. */
  readonly maxLength: number;
  readonly salt?: string;
  readonly extraKey?: string;
  /** Every prompt position yields an output row, again after a preemption; prefix reads are skipped. */
  readonly promptLogprobs: boolean;
  /** Never planned ahead of its last sample (grammars). */
  readonly needsSync: boolean;
  /** Smaller first under the priority policy. Default 0. */
  readonly priority?: number;
}

/** One row of a step. Rows are reused from step to step: read them before the next `schedule()`. */
export interface PlannedRow {
  readonly sequence: SequenceId;
  readonly slot: SlotId;
  /** The slot must be started: first row since admission or preemption. */
  readonly starts: boolean;
  /** With `starts`: leading tokens found in the prefix cache. */
  readonly numCachedTokens: number;
  /** Position of the first token of the row. */
  readonly start: number;
  readonly numQuery: number;
  /** Draft tokens at the end of the row, to be verified. */
  readonly drafts: readonly number[];
  /** Whether the row reaches the end of the known tokens, so that a token is sampled. */
  readonly samples: boolean;
}

/** One step as the scheduler decided it. Valid until the next `schedule()` but `maxInFlight - 1`. */
export interface StepPlan {
  readonly stepId: number;
  readonly rows: readonly PlannedRow[];
  /** Slots given up since the last plan (ended, aborted or preempted); they are free for rows of this plan. */
  readonly releasedSlots: readonly SlotId[];
  /** Sequences preempted while this plan was made; they start again later. */
  readonly preempted: readonly SequenceId[];
  readonly numTokens: number;
  readonly numOutputs: number;
}

/** What came of one row, in the order of {@link StepPlan.rows}. */
export interface RowOutcome {
  /** Tokens appended, in order; empty in mid-prefill and for a row that was a no-op. */
  readonly tokenIds: ArrayLike<number>;
  /** Drafts accepted. */
  readonly numAccepted: number;
  /** The sequence ended in the backend (EOS, stop token or length). */
  readonly ended: boolean;
}

/** Counters of a scheduler. */
export interface SchedulerStats {
  readonly numWaiting: number;
  readonly numRunning: number;
  readonly numPreemptions: number;
}

/**
 * Continuous batching: one decision a step, no phases. Pure bookkeeping: no clock, no I/O, no randomness of its own.
 *
 * `add` and `abort` at any time; `schedule` and `commit` alternate, with at most `maxInFlight` plans uncommitted, committed in order.
 */
export interface Scheduler {
  /**
   * Queues a sequence.
   * @throws {@link KvasirError} `ERR_SEQUENCE_TOO_LONG` If it could not run even alone; `ERR_DUPLICATE_SEQUENCE`.
   */
  add(sequence: SequenceSpec): void;

  /**
   * Ends a sequence wherever it is. Blocks that an uncommitted plan uses are freed at the commit of the last such plan.
   * @returns `false` if it is not here (already ended).
   */
  abort(sequence: SequenceId): boolean;

  /**
   * Offers draft tokens for the next row of a running sequence; they may be cut or dropped. They are dropped while a sample
   * of it is in flight, so a sequence that is drafted for is best added with `needsSync`.
   */
  offerDrafts(sequence: SequenceId, tokenIds: readonly number[]): void;

  /**
   * Plans one step.
   * @returns `null` when there is nothing to run now: nothing is queued, or everything runnable is in flight.
   */
  schedule(): StepPlan | null;

  /** Takes in what a step produced. Plans are committed in the order they were made. */
  commit(plan: StepPlan, outcomes: readonly RowOutcome[]): void;

  /** Gives up a plan whose step failed: its sequences are ended and returned, their blocks freed. */
  discard(plan: StepPlan): readonly SequenceId[];

  /** Sequences waiting or running. */
  readonly numUnfinished: number;

  /** Gauges of now, counters since the scheduler was made. */
  stats(): SchedulerStats;

  /** @throws {@link InvariantError} when the bookkeeping is inconsistent. */
  checkIntegrity(): void;
}
