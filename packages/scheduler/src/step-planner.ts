import type { KvCacheManager } from '@kvasir/interfaces';
import { Admission, type AdmissionParts } from './admission.js';
import type { Departures } from './departures.js';
import type { ResolvedOptions } from './options.js';
import type { PlanRecord } from './plan-ring.js';
import { addRow } from './plan-row.js';
import type { SchedulingPolicy } from './policies/policy.js';
import { Preemptor } from './preemption.js';
import { chunkSize } from './prefill.js';
import { sharePrefill } from './prefill-shares.js';
import type { RunningSet } from './running-set.js';
import { NO_DRAFTS, type ScheduledSequence } from './scheduled-sequence.js';
import type { Slots } from './slots.js';
import { StepBudget } from './step-budget.js';
import type { StepTimeModel } from './step-time-model.js';
import type { WaitingQueue } from './waiting-queue.js';

/** Prompt tokens that a step has however slow it is, so that prompts get done. */
const MIN_PREFILL_TOKENS = 16;

/** What a step is planned from. */
export interface PlannerParts extends AdmissionParts {
  readonly stepTimes: StepTimeModel;
}

/**
 * Decides one step.
 *
 * 1. A waiting sequence that outranks a running one may take its place.
 * 2. Running ones, in order: a token for who decodes, with drafts as far as there is room; a block at least for who is in the
 *    middle of its prompt. Who finds none takes it from someone behind it.
 * 3. Waiting ones are admitted, unless somebody who runs lacked blocks.
 * 4. What is left of the step is shared by the prompts.
 */
export class StepPlanner {
  readonly preemptor: Preemptor;
  /** Tokens that the last step could have had. */
  tokenBudget: number;
  readonly #options: ResolvedOptions;
  readonly #kvCache: KvCacheManager;
  readonly #policy: SchedulingPolicy;
  readonly #stepTimes: StepTimeModel;
  readonly #running: RunningSet;
  readonly #waiting: WaitingQueue;
  readonly #slots: Slots;
  readonly #departures: Departures;
  readonly #admission: Admission;
  readonly #budget: StepBudget;
  /** Prompts of this step. Reused. */
  readonly #prefills: ScheduledSequence[] = [];
  #numDecodeTokens = 0;
  /** Counts plans, empty ones too. */
  #turn = 0;

  constructor(parts: PlannerParts) {
    const { options, policy, stepTimes, running, waiting, slots, departures } = parts;
    this.preemptor = new Preemptor({ kvCache: options.kvCache, policy, running, waiting, slots });
    this.tokenBudget = options.maxNumBatchedTokens;
    this.#options = options;
    this.#kvCache = options.kvCache;
    this.#policy = policy;
    this.#stepTimes = stepTimes;
    this.#running = running;
    this.#waiting = waiting;
    this.#slots = slots;
    this.#departures = departures;
    this.#admission = new Admission(parts);
    this.#budget = new StepBudget(options.maxNumBatchedTokens, options.maxNumOutputs);
  }

  plan(plan: PlanRecord): void {
    const turn = ++this.#turn;
    this.#prefills.length = 0;
    const first = this.#waiting.peek();
    if (first !== undefined) this.#makeWay(first, turn);
    const { preempted } = this.preemptor;
    const numPreempted = preempted.length;
    const isServed = this.#planRunning(plan, turn);
    const budget = this.#budgetOfPrompts(plan);
    if (isServed && preempted.length === numPreempted && this.#waiting.size > 0 && budget > 0) {
      this.#admission.admit(this.#prefills, budget, turn);
    }
    this.#planPrompts(plan, budget);
    this.tokenBudget = plan.numTokens + Math.max(0, budget - (plan.numTokens - this.#numDecodeTokens));
  }

  /** Preempts for a waiting sequence those that it outranks, if that gets it in. Who is in flight is left out of this step and preempted in the next. */
  #makeWay(first: ScheduledSequence, turn: number): void {
    const running = this.#running;
    const isOutranked = (other: ScheduledSequence) => this.#policy.outranks(first, other);
    if (running.size === 0 || !isOutranked(running.at(running.size - 1))) return;
    let numMissing = this.#admission.numMissing(first);
    let needsSlot = this.#slots.numFree === 0;
    while (numMissing > 0 && this.#departures.giveUpParked()) numMissing = this.#admission.numMissing(first);
    if (numMissing > this.preemptor.numFreedBy(isOutranked)) return;
    while (numMissing > 0 || needsSlot) {
      const victim = this.preemptor.chooseVictim(0, (other) => other.heldIn !== turn && isOutranked(other));
      if (victim < 0) return;
      needsSlot = false;
      const sequence = running.at(victim);
      const before = this.#kvCache.numFreeBlocks;
      if (sequence.numInFlight > 0) {
        sequence.heldIn = turn;
        numMissing -= this.#kvCache.estimateClosing(sequence.id).numFreedBlocks;
      } else {
        this.preemptor.preempt(victim, turn);
        numMissing -= this.#kvCache.numFreeBlocks - before;
      }
    }
  }

  /** @returns `false` when someone lacks blocks. Those behind it are left out, so that they can be preempted next time. */
  #planRunning(plan: PlanRecord, turn: number): boolean {
    const running = this.#running;
    let numDecodes = 0;
    let hasPrompts = false;
    for (let at = 0; at < running.size; at++) {
      const sequence = running.at(at);
      if (!sequence.isPlannable) continue;
      if (sequence.numUnplanned === 1) numDecodes++;
      else hasPrompts = true;
    }
    this.#budget.start(numDecodes + (hasPrompts ? 1 : 0));
    let isServed = true;
    for (let at = 0; at < running.size; at++) {
      const sequence = running.at(at);
      if (!sequence.isPlannable || sequence.heldIn === turn) continue;
      // One that cannot be preempted has its blocks and gets on, so that it can be.
      if (!isServed && !sequence.isProtected) continue;
      if (sequence.numUnplanned > 1) {
        if (this.#reserve(sequence, 1, at, turn)) this.#prefills.push(sequence);
        else isServed = false;
      } else if (!this.#planDecode(plan, sequence, at, turn)) isServed = false;
    }
    if (hasPrompts) this.#budget.refund(1);
    return isServed;
  }

  #planDecode(plan: PlanRecord, sequence: ScheduledSequence, at: number, turn: number): boolean {
    const drafts = this.#takeDrafts(sequence);
    const end = sequence.numPlanned + 1 + drafts.length;
    if (drafts.length > 0 && this.#kvCache.reserve(sequence.id, end)) {
      addRow(plan, sequence, 1, drafts);
      this.#budget.spend(drafts.length, drafts.length);
      return true;
    }
    if (!this.#reserve(sequence, 1, at, turn)) return false;
    addRow(plan, sequence, 1, NO_DRAFTS);
    if (sequence.numOutputs(sequence.numPlanned - 1, 1) > 1) this.#budget.spend(0, 1);
    return true;
  }

  /** A row of k drafts yields up to k + 1 tokens, and k + 1 outputs. */
  #takeDrafts(sequence: ScheduledSequence): readonly number[] {
    const { spareTokens, spareOutputs } = this.#budget;
    const room = sequence.spec.maxLength - sequence.length - 1;
    return sequence.takeDrafts(Math.min(spareTokens, spareOutputs, room));
  }

  /** Reserves `numTokens` more for the sequence at `at`, at the cost of parked ones and of those behind it. */
  #reserve(sequence: ScheduledSequence, numTokens: number, at: number, turn: number): boolean {
    while (!this.#kvCache.reserve(sequence.id, sequence.numPlanned + numTokens)) {
      if (this.#departures.giveUpParked()) continue;
      const victim = this.preemptor.chooseVictim(at + 1, isIdle);
      if (victim < 0) return false;
      this.preemptor.preempt(victim, turn);
    }
    return true;
  }

  /** Prompt tokens of this step: what is spare, or what keeps those who decode within the target latency. */
  #budgetOfPrompts(plan: PlanRecord): number {
    this.#numDecodeTokens = plan.numTokens;
    const { spareTokens, spareOutputs } = this.#budget;
    const { targetItlMs } = this.#options;
    if (spareOutputs === 0 || spareTokens === 0) return 0;
    if (targetItlMs === undefined || !plan.hasDecodes) return spareTokens;
    // Several prompts share the step: as if all of it went to the one that looks back on most.
    let position = 0;
    for (const { numPlanned } of this.#prefills) if (numPlanned > position) position = numPlanned;
    const limit = this.#stepTimes.numTokensWithin(targetItlMs, plan, position);
    return Math.min(spareTokens, Math.max(MIN_PREFILL_TOKENS, limit));
  }

  #planPrompts(plan: PlanRecord, budget: number): void {
    const prefills = this.#prefills;
    sortInPlace(prefills, this.#policy.compareService);
    sharePrefill(prefills, budget, this.#options.longPrefillTokenThreshold);
    for (let i = 0; i < prefills.length; i++) {
      const sequence = prefills[i]!;
      const wanted = chunkSize(sequence, sequence.numPlanned, sequence.share, this.#budget.spareOutputs);
      const numQuery = this.#reserveUpTo(sequence, wanted);
      if (numQuery === 0) continue;
      this.#budget.spend(numQuery, sequence.numOutputs(sequence.numPlanned, numQuery));
      addRow(plan, sequence, numQuery, NO_DRAFTS);
    }
  }

  /** Reserves `wanted` tokens, or as large a part of them as halving finds room for; 0 for none. */
  #reserveUpTo(sequence: ScheduledSequence, wanted: number): number {
    for (let numQuery = wanted; numQuery > 0; numQuery = numQuery >> 1) {
      if (this.#kvCache.reserve(sequence.id, sequence.numPlanned + numQuery)) return numQuery;
    }
    return 0;
  }
}

function isIdle({ numInFlight }: ScheduledSequence): boolean {
  return numInFlight === 0;
}

/** Nearly sorted as it comes: a newcomer at the end may go before others. */
function sortInPlace<T>(items: T[], compare: (a: T, b: T) => number): void {
  for (let i = 1; i < items.length; i++) {
    const item = items[i] as T;
    let at = i;
    for (; at > 0 && compare(items[at - 1] as T, item) > 0; at--) items[at] = items[at - 1] as T;
    items[at] = item;
  }
}
