import { InvalidArgumentError, type PlannedRow, type SequenceId, type SlotId, type StepPlan } from '@kvasir/interfaces';
import { NO_DRAFTS, NO_SLOT, type ScheduledSequence } from './scheduled-sequence.js';
import type { StepWork } from './step-time-model.js';

/** A row together with the sequence that it belongs to. */
export class RowRecord implements PlannedRow {
  state!: ScheduledSequence;
  sequence = 0 as SequenceId;
  slot: SlotId = NO_SLOT;
  starts = false;
  numCachedTokens = 0;
  start = 0;
  numQuery = 0;
  drafts = NO_DRAFTS;
  samples = false;
}

/** A plan whose rows are kept from step to step. */
export class PlanRecord implements StepPlan, StepWork {
  stepId = 0;
  readonly rows: RowRecord[] = [];
  readonly releasedSlots: SlotId[] = [];
  readonly preempted: SequenceId[] = [];
  numTokens = 0;
  numOutputs = 0;
  decodeContext = 0;
  prefillPairs = 0;
  /** Whether somebody waits for the next token of a stream. */
  hasDecodes = false;
  readonly #pool: RowRecord[] = [];
  #numRows = 0;

  start(): void {
    this.#numRows = 0;
    this.numTokens = 0;
    this.numOutputs = 0;
    this.decodeContext = 0;
    this.prefillPairs = 0;
    this.hasDecodes = false;
  }

  get isEmpty(): boolean {
    return this.#numRows === 0;
  }

  addRow(): RowRecord {
    let row = this.#pool[this.#numRows];
    if (row === undefined) {
      row = new RowRecord();
      this.#pool.push(row);
    }
    this.rows[this.#numRows++] = row;
    return row;
  }

  /** Cuts what is left of longer plans. */
  finish(stepId: number): void {
    this.stepId = stepId;
    while (this.rows.length > this.#numRows) this.rows.pop();
  }
}

/** The plans of a scheduler, committed in the order in which they were made. */
export class PlanRing {
  readonly #plans: readonly PlanRecord[];
  #numMade = 0;
  #numCommitted = 0;

  constructor(maxInFlight: number) {
    this.#plans = Array.from({ length: maxInFlight }, () => new PlanRecord());
  }

  get numUncommitted(): number {
    return this.#numMade - this.#numCommitted;
  }

  get isFull(): boolean {
    return this.numUncommitted === this.#plans.length;
  }

  /** The record for the next plan; it counts once {@link PlanRing.push} was called. */
  next(): PlanRecord {
    const plan = this.#plans[this.#numMade % this.#plans.length] as PlanRecord;
    plan.start();
    return plan;
  }

  push(plan: PlanRecord): void {
    plan.finish(++this.#numMade);
  }

  /** @throws `InvalidArgumentError` unless `plan` is the oldest uncommitted one. */
  checkOldest(plan: StepPlan): PlanRecord {
    const oldest = this.#plans[this.#numCommitted % this.#plans.length] as PlanRecord;
    if (this.numUncommitted === 0 || plan !== oldest) {
      const expected = this.numUncommitted === 0 ? 'none, every plan is committed' : `step ${this.#numCommitted + 1}`;
      throw new InvalidArgumentError(
        'plan',
        `plan of step ${plan.stepId} cannot be committed now: expected ${expected}; commit or discard each plan once, in order`,
      );
    }
    return oldest;
  }

  pop(): void {
    this.#numCommitted++;
  }

  /** Uncommitted plans, oldest first. */
  *uncommitted(): Generator<PlanRecord> {
    for (let i = this.#numCommitted; i < this.#numMade; i++) yield this.#plans[i % this.#plans.length] as PlanRecord;
  }
}
