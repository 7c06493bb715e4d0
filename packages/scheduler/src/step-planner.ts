import type { KvCacheManager, OpenOptions, SequenceId } from '@kvasir/interfaces';
import { blocksToHold } from './block-demand.js';
import type { Departures } from './departures.js';
import { canFork, type Forks, numSharedTokens } from './forks.js';
import type { ResolvedOptions } from './options.js';
import type { PlanRecord } from './plan-ring.js';
import { chooseVictim } from './preemption.js';
import { chunkSize } from './prefill.js';
import type { RunningSet } from './running-set.js';
import { NO_DRAFTS, type ScheduledSequence } from './scheduled-sequence.js';
import type { Slots } from './slots.js';
import { StepBudget } from './step-budget.js';
import type { WaitingQueue } from './waiting-queue.js';

/** What a step is planned from. */
export interface PlannerState {
  readonly running: RunningSet;
  readonly waiting: WaitingQueue;
  readonly forks: Forks;
  readonly slots: Slots;
  readonly departures: Departures;
}

/**
 * Decides one step. Running sequences go first, in the order of the policy; each is sure of one token, and what is spare
 * goes to prefill chunks and drafts. Waiting ones follow while nobody who runs lacks blocks.
 */
export class StepPlanner {
  numPreemptions = 0;
  /** Preempted since the last plan that was handed out. */
  readonly preempted: SequenceId[] = [];
  readonly #options: ResolvedOptions;
  readonly #kvCache: KvCacheManager;
  readonly #running: RunningSet;
  readonly #waiting: WaitingQueue;
  readonly #forks: Forks;
  readonly #slots: Slots;
  readonly #departures: Departures;
  readonly #budget: StepBudget;
  /** Who could not be admitted last time, and the room there was: not tried again before there is more. */
  #refused: ScheduledSequence | null = null;
  #refusedRoom = 0;

  constructor(options: ResolvedOptions, { running, waiting, forks, slots, departures }: PlannerState) {
    this.#options = options;
    this.#kvCache = options.kvCache;
    this.#running = running;
    this.#waiting = waiting;
    this.#forks = forks;
    this.#slots = slots;
    this.#departures = departures;
    this.#budget = new StepBudget(options.maxNumBatchedTokens, options.maxNumOutputs);
  }

  plan(plan: PlanRecord): void {
    const numPreempted = this.preempted.length;
    const isServed = this.#planRunning(plan);
    if (isServed && this.preempted.length === numPreempted && this.#waiting.size > 0) this.#admitWaiting(plan);
  }

  /** @returns `false` when someone lacks blocks. Those behind it are left out, so that they can be preempted next time. */
  #planRunning(plan: PlanRecord): boolean {
    const running = this.#running;
    let numRows = 0;
    for (let at = 0; at < running.size; at++) if (running.at(at).isPlannable) numRows++;
    this.#budget.start(numRows);
    for (let at = 0; at < running.size; at++) {
      const sequence = running.at(at);
      if (sequence.isPlannable && !this.#planRow(plan, sequence, at)) return false;
    }
    return true;
  }

  #planRow(plan: PlanRecord, sequence: ScheduledSequence, at: number): boolean {
    const budget = this.#budget;
    const start = sequence.numPlanned;
    if (sequence.numUnplanned === 1) {
      const drafts = this.#takeDrafts(sequence);
      if (drafts.length > 0 && this.#kvCache.reserve(sequence.id, start + 1 + drafts.length)) {
        this.#addRow(plan, sequence, 1, drafts);
        budget.spendKept(1 + drafts.length, 1 + drafts.length);
        return true;
      }
    }
    const maxTokens = Math.min(1 + budget.spareTokens, this.#options.longPrefillTokenThreshold);
    const wanted = chunkSize(sequence, start, maxTokens, 1 + budget.spareOutputs);
    for (;;) {
      const numQuery = this.#reserveUpTo(sequence, start, wanted);
      if (numQuery > 0) {
        budget.spendKept(numQuery, sequence.numOutputs(start, numQuery));
        this.#addRow(plan, sequence, numQuery, NO_DRAFTS);
        return true;
      }
      if (this.#departures.giveUpParked()) continue;
      const victim = chooseVictim(this.#running, at);
      if (victim < 0) return false;
      this.#preempt(victim);
    }
  }

  /** A row of k drafts yields up to k + 1 tokens, and k + 1 outputs. */
  #takeDrafts(sequence: ScheduledSequence): readonly number[] {
    const { spareTokens, spareOutputs } = this.#budget;
    const room = sequence.spec.maxLength - sequence.length - 1;
    return sequence.takeDrafts(Math.min(spareTokens, spareOutputs, room));
  }

  /** Reserves `wanted` tokens from `start` on, or as large a part of them as halving finds room for; 0 for none. */
  #reserveUpTo(sequence: ScheduledSequence, start: number, wanted: number): number {
    for (let numQuery = wanted; numQuery > 0; numQuery = numQuery >> 1) {
      if (this.#kvCache.reserve(sequence.id, start + numQuery)) return numQuery;
    }
    return 0;
  }

  #preempt(at: number): void {
    const victim = this.#running.at(at);
    this.#running.removeAt(at);
    this.#kvCache.close(victim.id);
    this.#slots.release(victim.slot);
    victim.rewind();
    victim.status = 'waiting';
    victim.wasPreempted = true;
    this.#waiting.push(victim);
    this.preempted.push(victim.id);
    this.numPreemptions++;
  }

  #admitWaiting(plan: PlanRecord): void {
    let promised = 0;
    for (let at = 0; at < this.#running.size; at++) {
      const { length, numPlanned } = this.#running.at(at);
      if (numPlanned < length) promised += this.#blocksBetween(numPlanned, length);
    }
    while (this.#waiting.size > 0 && this.#slots.numFree > 0 && this.#budget.spareTokens > 0) {
      if (this.#budget.spareOutputs === 0) return;
      const sequence = this.#waiting.peek() as ScheduledSequence;
      if (!this.#admit(plan, sequence, promised)) return;
      promised += this.#blocksBetween(sequence.numPlanned, sequence.length);
    }
  }

  /**
   * Admits a sequence whose tokens all fit beside what running prefills still need. One that was preempted also waits
   * until every running sequence could grow by a block, so that it is not thrown out again at once.
   */
  #admit(plan: PlanRecord, sequence: ScheduledSequence, promised: number): boolean {
    const isAlone = this.#running.size === 0;
    const growth = sequence.wasPreempted ? this.#running.size * this.#kvCache.groups.length : 0;
    const room = this.#kvCache.numFreeBlocks - promised - growth;
    if (!isAlone && this.#refused === sequence && room <= this.#refusedRoom) return false;

    const isFork = canFork(this.#kvCache, sequence);
    const numCached = isFork ? this.#fork(sequence) : this.#open(sequence);
    const needed = isFork ? this.#kvCache.groups.length : this.#blocksBetween(numCached, sequence.length);
    let numQuery = 0;
    do {
      if (!isAlone && needed > this.#kvCache.numFreeBlocks - promised - growth) continue;
      const maxTokens = Math.min(this.#budget.spareTokens, this.#options.longPrefillTokenThreshold);
      const wanted = chunkSize(sequence, numCached, maxTokens, this.#budget.spareOutputs);
      numQuery = this.#reserveUpTo(sequence, numCached, wanted);
    } while (numQuery === 0 && this.#departures.giveUpParked());
    if (numQuery === 0) {
      this.#kvCache.close(sequence.id);
      this.#refused = sequence;
      this.#refusedRoom = room;
      return false;
    }

    this.#refused = null;
    this.#waiting.remove(sequence);
    const parent = this.#forks.unlink(sequence);
    if (parent !== null) this.#departures.dropIfUnwanted(parent);
    sequence.status = 'running';
    sequence.slot = this.#slots.take();
    sequence.numComputed = numCached;
    sequence.numPlanned = numCached;
    this.#running.add(sequence);
    this.#forks.advance(sequence);
    this.#budget.spend(numQuery, sequence.numOutputs(numCached, numQuery));
    const row = this.#addRow(plan, sequence, numQuery, NO_DRAFTS);
    row.starts = true;
    row.numCachedTokens = numCached;
    return true;
  }

  #open(sequence: ScheduledSequence): number {
    const known = sequence.tokens.subarray(0, sequence.length);
    return this.#kvCache.open(sequence.id, known, openOptions(sequence));
  }

  #fork(sequence: ScheduledSequence): number {
    const numTokens = numSharedTokens(sequence);
    this.#kvCache.fork((sequence.parent as ScheduledSequence).id, sequence.id, numTokens);
    return numTokens;
  }

  #blocksBetween(from: number, to: number): number {
    return blocksToHold(this.#kvCache, to) - blocksToHold(this.#kvCache, from);
  }

  #addRow(plan: PlanRecord, sequence: ScheduledSequence, numKnown: number, drafts: readonly number[]) {
    const row = plan.addRow();
    const numQuery = numKnown + drafts.length;
    row.state = sequence;
    row.sequence = sequence.id;
    row.slot = sequence.slot;
    row.starts = false;
    row.numCachedTokens = 0;
    row.start = sequence.numPlanned;
    row.numQuery = numQuery;
    row.drafts = drafts;
    row.samples = numKnown === sequence.numUnplanned;
    plan.numTokens += numQuery;
    plan.numOutputs += sequence.numOutputs(row.start, numKnown) + drafts.length;
    sequence.numPlanned += numQuery;
    sequence.numInFlight++;
    if (row.samples) sequence.numPlaceholders++;
    if (drafts.length > 0) sequence.hasDraftsInFlight = true;
    return row;
  }
}

function openOptions({ spec }: ScheduledSequence): OpenOptions {
  return {
    skipPrefixRead: spec.promptLogprobs,
    ...(spec.salt === undefined ? {} : { salt: spec.salt }),
    ...(spec.extraKey === undefined ? {} : { extraKey: spec.extraKey }),
  };
}
