import type {
  BlockTransfer,
  KvCacheManager,
  Scheduler,
  SequenceId,
  Session,
  StepBatch,
  StepPlan,
  StepResult,
} from '@kvasir/interfaces';
import { BatchPacker } from './batch-packer.js';
import type { Sequence } from './sequence.js';
import { StepOutput } from './step-output.js';

/** A step between submission and result. */
export interface Flight {
  plan: StepPlan;
  batch: StepBatch;
  readonly sequences: Sequence[];
  transfers: readonly BlockTransfer[];
  submittedMs: number;
}

/** What the loop reports. Calls are synchronous; the loop never waits for them. */
export interface StepListener {
  /** A plan was made; nothing of it has run. `sequences` has one entry a row. */
  onPlanned(plan: StepPlan, sequences: readonly Sequence[]): void;
  /** A step was committed: tokens belong to their sequences from here on. The next step is not submitted yet. */
  onCommitted(flight: Flight, output: StepOutput, result: StepResult): void;
  /** The next steps are under way: time for text. */
  onStreaming(flight: Flight, output: StepOutput): void;
  /** A step failed; `ended` are the sequences that ended with it. */
  onFailed(flight: Flight, ended: readonly SequenceId[], reason: unknown): void;
  /** Planning or packing broke an invariant: the loop has stopped for good. */
  onBroken(reason: unknown): void;
  /** Nothing is in flight and nothing can be planned. */
  onIdle(): void;
}

/** What a {@link StepLoop} drives. */
export interface StepLoopOptions {
  readonly session: Session;
  readonly scheduler: Scheduler;
  readonly kvCache: KvCacheManager;
  readonly maxNumSeqs: number;
  readonly maxInFlight: number;
  readonly sequenceOf: (id: SequenceId) => Sequence;
  readonly now: () => number;
  readonly listener: StepListener;
}

/**
 * Plans, packs and submits steps while there is something to run, and commits them in order.
 *
 * ```
 * backend   | step N          | step N+1        | step N+2
 * loop      | stream N-1 ...  | commit N, plan N+1, submit, stream N ...
 * ```
 * Driven by {@link StepLoop.wake} and by results only: when both cease there is no timer and nothing to poll.
 */
export class StepLoop {
  readonly #options: StepLoopOptions;
  readonly #packer: BatchPacker;
  readonly #flights: Flight[] = [];
  readonly #spare: Flight[] = [];
  readonly #output = new StepOutput();
  #isWaking = false;
  #isBroken = false;

  constructor(options: StepLoopOptions) {
    this.#options = options;
    // One arena more than steps in flight: the step that is being streamed.
    this.#packer = new BatchPacker(options.kvCache, options.maxNumSeqs, options.maxInFlight + 1);
  }

  get numInFlight(): number {
    return this.#flights.length;
  }

  /** Says that there may be something to run. What was added in this turn of the microtask queue goes into one step. */
  wake(): void {
    if (this.#isWaking) return;
    this.#isWaking = true;
    queueMicrotask(() => {
      this.#isWaking = false;
      this.#advance();
    });
  }

  #advance(): void {
    try {
      while (!this.#isBroken && this.#flights.length < this.#options.maxInFlight) {
        const plan = this.#options.scheduler.schedule();
        if (plan === null) break;
        this.#submit(plan);
      }
    } catch (error) {
      this.#break(error);
    }
    if (this.#flights.length === 0) this.#options.listener.onIdle();
  }

  #submit(plan: StepPlan): void {
    const flight = this.#spare.pop() ?? {
      plan,
      batch: { words: new Int32Array(0), numWords: 0 },
      sequences: [],
      transfers: [],
      submittedMs: 0,
    };
    flight.plan = plan;
    flight.sequences.length = 0;
    for (const row of plan.rows) flight.sequences.push(this.#options.sequenceOf(row.sequence));
    this.#options.listener.onPlanned(plan, flight.sequences);
    flight.batch = this.#packer.pack(plan, flight.sequences);
    flight.transfers = this.#packer.lastTransfers;
    flight.submittedMs = this.#options.now();
    this.#flights.push(flight);
    this.#run(flight.batch).then(
      (result) => this.#land(flight, () => this.#onResult(flight, result)),
      (reason: unknown) => this.#land(flight, () => this.#onFailure(flight, reason)),
    );
  }

  /** A session that throws instead of rejecting fails its step all the same. */
  async #run(batch: StepBatch): Promise<StepResult> {
    return await this.#options.session.step(batch);
  }

  /** Results come in the order of submission. */
  #land(flight: Flight, take: () => void): void {
    this.#flights.splice(this.#flights.indexOf(flight), 1);
    try {
      if (!this.#isBroken) take();
    } catch (error) {
      this.#break(error);
    }
    flight.sequences.length = 0;
    this.#spare.push(flight);
    if (this.#flights.length === 0) this.wake();
  }

  #onResult(flight: Flight, result: StepResult): void {
    this.#packer.succeeded(flight.plan.stepId);
    this.#output.read(flight.batch, result);
    this.#options.scheduler.commit(flight.plan, this.#output.rows, result.computeMicros / 1000);
    this.#options.listener.onCommitted(flight, this.#output, result);
    // The next step starts before this one is turned into text.
    this.#advance();
    this.#options.listener.onStreaming(flight, this.#output);
  }

  #onFailure(flight: Flight, reason: unknown): void {
    this.#packer.failed(flight.plan.stepId);
    const { scheduler, kvCache, listener } = this.#options;
    const spoilt = kvCache.abandonTransfers(flight.transfers);
    const ended = [...scheduler.discard(flight.plan)];
    // Others may have begun with blocks that this step would have brought.
    for (const id of spoilt) if (!ended.includes(id) && scheduler.abort(id)) ended.push(id);
    listener.onFailed(flight, ended, reason);
    this.#advance();
  }

  #break(error: unknown): void {
    if (this.#isBroken) return;
    this.#isBroken = true;
    this.#options.listener.onBroken(error);
  }
}
