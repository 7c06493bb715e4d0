import type { KvCacheManager, SequenceId } from '@kvasir/interfaces';
import type { SchedulingPolicy } from './policies/policy.js';
import { costToBringBack } from './preemption-cost.js';
import type { RunningSet } from './running-set.js';
import type { ScheduledSequence } from './scheduled-sequence.js';
import type { Slots } from './slots.js';
import type { WaitingQueue } from './waiting-queue.js';

/** What preemption works on. */
export interface PreemptorParts {
  readonly kvCache: KvCacheManager;
  readonly policy: SchedulingPolicy;
  readonly running: RunningSet;
  readonly waiting: WaitingQueue;
  readonly slots: Slots;
}

/** Throws running sequences out so that others can go on: their blocks and slots are free, their tokens are kept. */
export class Preemptor {
  numPreemptions = 0;
  /** Preempted since the last plan that was handed out. */
  readonly preempted: SequenceId[] = [];
  readonly #parts: PreemptorParts;

  constructor(parts: PreemptorParts) {
    this.#parts = parts;
  }

  /**
   * Chooses whom to preempt among the running ones from `first` on: of those that rank last, the one that is cheapest to bring
   * back; of equals, the last. Never one that was preempted twice without having sampled since.
   * @param isCandidate - Who may be chosen.
   * @returns Its index, or -1.
   */
  chooseVictim(first: number, isCandidate: (sequence: ScheduledSequence) => boolean): number {
    const { running, policy } = this.#parts;
    let victim = -1;
    let lowest = Number.POSITIVE_INFINITY;
    for (let at = first; at < running.size; at++) {
      const sequence = running.at(at);
      if (sequence.isProtected || !isCandidate(sequence)) continue;
      const cost = this.#costOf(sequence);
      const ranksLower = victim >= 0 && policy.outranks(running.at(victim), sequence);
      const ranksHigher = victim >= 0 && policy.outranks(sequence, running.at(victim));
      if (!ranksLower && (ranksHigher || cost > lowest)) continue;
      victim = at;
      lowest = cost;
    }
    return victim;
  }

  /** Blocks that preempting all of them would free, at most. */
  numFreedBy(isCandidate: (sequence: ScheduledSequence) => boolean): number {
    const { kvCache, running } = this.#parts;
    let numFreed = 0;
    for (let at = 0; at < running.size; at++) {
      const sequence = running.at(at);
      if (sequence.isProtected || !isCandidate(sequence)) continue;
      numFreed += kvCache.estimateClosing(sequence.id).numFreedBlocks;
    }
    return numFreed;
  }

  preempt(at: number, turn: number): void {
    const { kvCache, running, waiting, slots } = this.#parts;
    const victim = running.at(at);
    running.removeAt(at);
    kvCache.close(victim.id);
    if (victim.slot >= 0) slots.release(victim.slot, !victim.needsStart);
    victim.numFruitless = victim.length > victim.lengthAtAdmission ? 1 : victim.numFruitless + 1;
    victim.rewind();
    victim.status = 'waiting';
    victim.wasPreempted = true;
    victim.preemptedIn = turn;
    victim.refusedRoom = -1;
    victim.tenant.numRunning--;
    victim.tenant.numWaiting++;
    waiting.push(victim);
    this.preempted.push(victim.id);
    this.numPreemptions++;
  }

  #costOf({ id, numComputed, spec }: ScheduledSequence): number {
    const { kvCache, running } = this.#parts;
    const { blockSize, groups } = kvCache;
    const closing = kvCache.estimateClosing(id);
    // Until it is back everyone who runs may grow by a block.
    const numWanted = running.size * groups.length;
    const numTierBlocks = kvCache.stats().hostTier?.numBlocks ?? 0;
    const pool = { blockSize, numGroups: groups.length, numWanted, numTierBlocks };
    const cost = costToBringBack({ closing, numComputed, readsCache: !spec.promptLogprobs }, pool);
    // Who shares every block frees none: the last resort.
    return closing.numFreedBlocks > 0 ? cost : cost + 2 ** 32;
  }
}
