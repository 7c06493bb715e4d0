import type { SequenceId, SlotId } from './ids.js';

/** What the scheduler must know of a sequence. */
export interface SequenceSpec {
  readonly id: SequenceId;
  readonly promptTokenIds: Int32Array;
  /** Prompt plus the most output tokens, within the model's limit. */
  readonly maxLength: number;
  readonly salt?: string;
  readonly extraKey?: string;
  /** Who is served, for fairness and statistics; it separates no content (`salt` does). Default `''`. */
  readonly tenant?: string;
  /**
   * A sequence that is here and has the first `promptTokenIds.length - 1` tokens in common. This one waits until those are
   * computed there and then shares their blocks, so its first row computes one token. Where the other is not here (any
   * more), and with `promptLogprobs`, it is opened like any other. Salt and extra key are those of the other.
   */
  readonly forkOf?: SequenceId;
  /**
   * When it ends in the backend or at `maxLength` its blocks stay, for others to fork, until {@link Scheduler.unpark} or
   * until the room is needed. Its slot is given up. Default `false`.
   */
  readonly parks?: boolean;
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

/** What waiting sequences wait for. */
export interface WaitingCounts {
  /** A slot, blocks, or a share of a step. */
  readonly capacity: number;
  /** The sequence that they fork. */
  readonly fork: number;
}

/** One tenant that has sequences here. */
export interface TenantCounts {
  readonly numWaiting: number;
  readonly numRunning: number;
  /** Tokens computed for it since it last had none here; cached ones, and those computed again, are not counted. */
  readonly servedTokens: number;
}

/** Gauges of now; `numPreemptions` and `numBypasses` count since the scheduler was made. */
export interface SchedulerStats {
  readonly numWaiting: number;
  readonly waitingByReason: WaitingCounts;
  readonly numRunning: number;
  /** Ended ones whose blocks are kept. */
  readonly numParked: number;
  readonly numPreemptions: number;
  /** Times that a waiting sequence was passed by one that was admitted, because it did not fit or was not the shortest. */
  readonly numBypasses: number;
  /** Tokens that the last step could have had. */
  readonly tokenBudget: number;
  /** By {@link SequenceSpec.tenant}. */
  readonly tenants: ReadonlyMap<string, TenantCounts>;
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
   * Ends a sequence wherever it is; one that is parked is unparked. Blocks that an uncommitted plan uses are freed at the
   * commit of the last such plan, and blocks that queued forks of it are about to share once those have been admitted.
   * @returns `false` if it is not here (already ended).
   */
  abort(sequence: SequenceId): boolean;

  /**
   * Takes back `parks`: a parked sequence gives up its blocks once every fork of it that is queued was admitted, and one
   * that has not ended will not be parked.
   * @returns `false` if it is not here or does not park.
   */
  unpark(sequence: SequenceId): boolean;

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

  /**
   * Takes in what a step produced. Plans are committed in the order they were made.
   * @param stepMs - What the step took, for the model of step times behind a target latency.
   */
  commit(plan: StepPlan, outcomes: readonly RowOutcome[], stepMs?: number): void;

  /** Gives up a plan whose step failed: its sequences are ended and returned, their blocks freed. */
  discard(plan: StepPlan): readonly SequenceId[];

  /** Sequences waiting or running; parked ones have ended. */
  readonly numUnfinished: number;

  /** Gauges of now, counters since the scheduler was made. */
  stats(): SchedulerStats;

  /** @throws {@link InvariantError} when the bookkeeping is inconsistent. */
  checkIntegrity(): void;
}
