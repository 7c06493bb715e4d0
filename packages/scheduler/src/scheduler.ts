import {
  InvariantError,
  type KvCacheManager,
  type RowOutcome,
  type Scheduler,
  type SchedulerStats,
  type SequenceId,
  type SequenceSpec,
  type StepPlan,
} from '@kvasir/interfaces';
import { Departures } from './departures.js';
import { DuplicateSequenceError, SequenceTooLongError } from './errors.js';
import { canFork, checkFork, Forks } from './forks.js';
import { checkBookkeeping } from './integrity.js';
import { type ResolvedOptions, resolveOptions, type SchedulerOptions } from './options.js';
import { checkOutcomes } from './outcomes.js';
import { PlanRing, type RowRecord } from './plan-ring.js';
import { POLICIES } from './policies/policies.js';
import { RunningSet } from './running-set.js';
import { checkSpec, ScheduledSequence } from './scheduled-sequence.js';
import { Slots } from './slots.js';
import { StepPlanner } from './step-planner.js';
import { StepTimeModel } from './step-time-model.js';
import { Tenants } from './tenants.js';
import { TokenBuffers } from './token-buffers.js';
import { WaitingQueue } from './waiting-queue.js';

/**
 * Makes a continuous-batching scheduler over a KV cache.
 * @throws `InvalidArgumentError` for an option that cannot be used, unknown ones included.
 */
export function createScheduler(options: SchedulerOptions): Scheduler {
  return new ContinuousBatchingScheduler(resolveOptions(options));
}

class ContinuousBatchingScheduler implements Scheduler {
  readonly #options: ResolvedOptions;
  readonly #kvCache: KvCacheManager;
  readonly #running: RunningSet;
  readonly #waiting: WaitingQueue;
  readonly #forks: Forks;
  readonly #slots: Slots;
  readonly #departures: Departures;
  readonly #plans: PlanRing;
  readonly #planner: StepPlanner;
  readonly #tenants: Tenants;
  readonly #stepTimes = new StepTimeModel();
  readonly #buffers: TokenBuffers;
  #numArrived = 0;

  constructor(options: ResolvedOptions) {
    this.#options = options;
    this.#kvCache = options.kvCache;
    const policy = POLICIES[options.policy];
    this.#running = new RunningSet(policy.compare);
    this.#waiting = new WaitingQueue(policy, options.maxBypass, (sequence) => this.#countUncached(sequence));
    this.#tenants = new Tenants(new Map(Object.entries(options.tenantWeights)));
    this.#slots = new Slots(options.maxNumSeqs);
    this.#buffers = new TokenBuffers(options.maxNumSeqs);
    this.#forks = new Forks(this.#waiting);
    this.#departures = new Departures({
      kvCache: options.kvCache,
      slots: this.#slots,
      forks: this.#forks,
      tenants: this.#tenants,
      buffers: this.#buffers,
    });
    this.#plans = new PlanRing(options.maxInFlight);
    this.#planner = new StepPlanner({
      options,
      policy,
      stepTimes: this.#stepTimes,
      running: this.#running,
      waiting: this.#waiting,
      forks: this.#forks,
      slots: this.#slots,
      departures: this.#departures,
    });
  }

  get numUnfinished(): number {
    return this.#waiting.size + this.#forks.numDeferred + this.#running.size;
  }

  add(spec: SequenceSpec): void {
    checkSpec(spec);
    const { sequences } = this.#departures;
    if (sequences.has(spec.id)) throw new DuplicateSequenceError(spec.id);
    const { maxModelLen } = this.#options;
    if (spec.maxLength > maxModelLen) {
      throw new SequenceTooLongError(spec.id, spec.maxLength, maxModelLen, 'the model takes at most');
    }
    // The last token is sampled and never computed.
    if (!this.#kvCache.fits(spec.maxLength - 1)) {
      const { numBlocks, blockSize } = this.#kvCache;
      throw new SequenceTooLongError(spec.id, spec.maxLength, numBlocks * blockSize, 'the whole KV cache has room for');
    }
    const parent = spec.forkOf === undefined ? undefined : sequences.get(spec.forkOf);
    if (parent !== undefined) checkFork(spec, parent);
    const { salt, extraKey } = spec;
    const keys = { ...(salt === undefined ? {} : { salt }), ...(extraKey === undefined ? {} : { extraKey }) };
    const prepared = this.#kvCache.prepare(spec.promptTokenIds, keys);
    const tenant = this.#tenants.enter(spec.tenant ?? '');
    tenant.numWaiting++;
    const sequence = new ScheduledSequence(spec, { arrival: this.#numArrived++, tenant, prepared });
    sequences.set(spec.id, sequence);
    // One that scores its prompt has to compute all of it; with a single token there is nothing to share.
    const forks = !spec.promptLogprobs && spec.promptTokenIds.length > 1;
    if (forks && parent !== undefined) this.#forks.link(sequence, parent);
    else this.#waiting.push(sequence);
  }

  abort(id: SequenceId): boolean {
    const sequence = this.#departures.sequences.get(id);
    switch (sequence?.status) {
      case 'waiting':
        this.#withdraw(sequence);
        return true;
      case 'running':
        this.#departures.end(sequence, false);
        this.#running.sweep();
        return true;
      case 'parked':
        return this.#departures.unpark(sequence);
      default:
        return false;
    }
  }

  unpark(id: SequenceId): boolean {
    const sequence = this.#departures.sequences.get(id);
    return sequence !== undefined && this.#departures.unpark(sequence);
  }

  offerDrafts(id: SequenceId, tokenIds: readonly number[]): void {
    const sequence = this.#departures.sequences.get(id);
    if (sequence?.status === 'running') sequence.offerDrafts(tokenIds);
  }

  schedule(): StepPlan | null {
    if (this.#plans.isFull) return null;
    const plan = this.#plans.next();
    this.#planner.plan(plan);
    if (plan.isEmpty) {
      if (this.numUnfinished > 0 && this.#plans.numUncommitted === 0) this.#reportStuck();
      return null;
    }
    this.#slots.moveReleased(plan.releasedSlots);
    moveAll(this.#planner.preemptor.preempted, plan.preempted);
    this.#plans.push(plan);
    return plan;
  }

  commit(plan: StepPlan, outcomes: readonly RowOutcome[], stepMs?: number): void {
    const record = this.#plans.checkOldest(plan);
    checkOutcomes(record, outcomes);
    this.#plans.pop();
    if (stepMs !== undefined) this.#stepTimes.observe(record, stepMs);
    for (let i = 0; i < record.rows.length; i++)
      this.#commitRow(record.rows[i] as RowRecord, outcomes[i] as RowOutcome);
    this.#running.sweep();
  }

  discard(plan: StepPlan): readonly SequenceId[] {
    const record = this.#plans.checkOldest(plan);
    this.#plans.pop();
    const ended: SequenceId[] = [];
    for (const { state } of record.rows) {
      state.numInFlight--;
      if (state.status === 'running') {
        ended.push(state.id);
        this.#departures.drop(state);
      } else this.#departures.settle(state);
    }
    this.#running.sweep();
    return ended;
  }

  stats(): SchedulerStats {
    return {
      numWaiting: this.#waiting.size + this.#forks.numDeferred,
      waitingByReason: { capacity: this.#waiting.size, fork: this.#forks.numDeferred },
      numRunning: this.#running.size,
      numParked: this.#departures.numParked,
      numPreemptions: this.#planner.preemptor.numPreemptions,
      numBypasses: this.#waiting.numBypasses,
      tokenBudget: this.#planner.tokenBudget,
      tenants: this.#tenants.all,
    };
  }

  checkIntegrity(): void {
    checkBookkeeping({
      sequences: this.#departures.sequences,
      running: this.#running,
      waiting: this.#waiting,
      forks: this.#forks,
      slots: this.#slots,
      departures: this.#departures,
      tenants: this.#tenants,
      plans: this.#plans,
    });
  }

  #withdraw(sequence: ScheduledSequence): void {
    this.#forks.withdraw(sequence);
    const parent = this.#forks.unlink(sequence);
    this.#forks.orphan(sequence);
    this.#departures.forget(sequence);
    if (parent !== null) this.#departures.dropIfUnwanted(parent);
  }

  #commitRow(row: RowRecord, { tokenIds, ended }: RowOutcome): void {
    const sequence = row.state;
    sequence.numInFlight--;
    if (sequence.status !== 'running') {
      this.#departures.settle(sequence);
      return;
    }
    if (row.samples) sequence.numPlaceholders--;
    // Of the row's own tokens all are computed; of the drafts, those that were accepted and led to one more token.
    const numOwn = row.numQuery - row.drafts.length;
    sequence.numComputed = row.start + numOwn + Math.max(0, tokenIds.length - 1);
    if (row.drafts.length > 0) {
      sequence.numPlanned = sequence.numComputed;
      sequence.hasDraftsInFlight = false;
    }
    sequence.append(tokenIds, this.#buffers);
    this.#kvCache.commit(sequence.id, sequence.tokens, sequence.numComputed);
    if (sequence.forks !== null) this.#forks.advance(sequence);
    // The caller sweeps the running set.
    if (ended || sequence.length === sequence.spec.maxLength) this.#departures.end(sequence, true);
  }

  #countUncached(sequence: ScheduledSequence): number {
    if (canFork(this.#kvCache, sequence)) return 1;
    const known = sequence.tokens.subarray(0, sequence.length);
    return sequence.length - this.#kvCache.lookup(known, sequence.openOptions);
  }

  #reportStuck(): never {
    throw new InvariantError('nothing can run although nothing is in flight: someone else holds the blocks', {
      numWaiting: this.#waiting.size,
      numRunning: this.#running.size,
      numFreeBlocks: this.#kvCache.numFreeBlocks,
      numBlocks: this.#kvCache.numBlocks,
    });
  }
}

function moveAll(from: SequenceId[], to: SequenceId[]): void {
  to.length = 0;
  for (const id of from) to.push(id);
  from.length = 0;
}
