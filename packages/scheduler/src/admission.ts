import type { KvCacheManager } from '@kvasir/interfaces';
import { blocksToHold } from './block-demand.js';
import type { Departures } from './departures.js';
import { canFork, type Forks, numSharedTokens } from './forks.js';
import type { ResolvedOptions } from './options.js';
import type { SchedulingPolicy } from './policies/policy.js';
import { shareOfNewcomer } from './prefill-shares.js';
import type { RunningSet } from './running-set.js';
import type { ScheduledSequence } from './scheduled-sequence.js';
import type { Slots } from './slots.js';
import type { WaitingQueue } from './waiting-queue.js';

/** Waiting sequences that one step looks past. */
const MAX_PASSED = 16;

/** What admission works on. */
export interface AdmissionParts {
  readonly options: ResolvedOptions;
  readonly policy: SchedulingPolicy;
  readonly running: RunningSet;
  readonly waiting: WaitingQueue;
  readonly forks: Forks;
  readonly slots: Slots;
  readonly departures: Departures;
}

/** Lets waiting sequences in. */
export class Admission {
  readonly #options: ResolvedOptions;
  readonly #policy: SchedulingPolicy;
  readonly #kvCache: KvCacheManager;
  readonly #running: RunningSet;
  readonly #waiting: WaitingQueue;
  readonly #forks: Forks;
  readonly #slots: Slots;
  readonly #departures: Departures;
  /** Who was tried in this step, and found too few blocks. */
  readonly #passed: ScheduledSequence[] = [];
  /** Blocks that those who run need for the tokens that they have. */
  #promised = 0;

  constructor({ options, policy, running, waiting, forks, slots, departures }: AdmissionParts) {
    this.#options = options;
    this.#policy = policy;
    this.#kvCache = options.kvCache;
    this.#running = running;
    this.#waiting = waiting;
    this.#forks = forks;
    this.#slots = slots;
    this.#departures = departures;
  }

  /**
   * Admits who gets a share of the step and finds blocks for all of its tokens, in the order of the policy. Who finds too few
   * is passed by others, `maxBypass` of them in its whole wait; then nobody is admitted before it.
   * @param prefills - Prompts that are being computed, in order; who is admitted is added.
   */
  admit(prefills: ScheduledSequence[], budget: number, turn: number): void {
    this.#promised = this.#countPromised();
    this.#passed.length = 0;
    this.#waiting.startScan();
    for (let numTried = 0; this.#slots.numFree > 0 && numTried < MAX_PASSED; ) {
      const sequence = this.#waiting.next();
      if (sequence === undefined) return;
      if (sequence.preemptedIn !== turn && this.#tryAdmit(sequence, prefills, budget)) {
        for (const other of this.#passed) this.#waiting.notePassed(other);
      } else if (this.#passed.at(-1) !== sequence && !this.#policy.letsShorterPass) return;
      else numTried++;
      for (const other of this.#passed) if (other.numBypassed >= this.#options.maxBypass) return;
    }
  }

  /** Blocks that `sequence` lacks to be admitted, if nothing of it is cached. */
  numMissing(sequence: ScheduledSequence): number {
    const kept = this.#countPromised() + this.#growthFor(sequence);
    return blocksToHold(this.#kvCache, sequence.length) - (this.#kvCache.numFreeBlocks - kept);
  }

  /** One that was preempted leaves a block to everyone who runs, so that it is not thrown out again at once. */
  #growthFor(sequence: ScheduledSequence): number {
    return sequence.wasPreempted ? this.#running.size * this.#kvCache.groups.length : 0;
  }

  #countPromised(): number {
    let promised = 0;
    for (let at = 0; at < this.#running.size; at++) {
      const { length, numPlanned } = this.#running.at(at);
      if (numPlanned < length) promised += this.#blocksBetween(numPlanned, length);
    }
    return promised;
  }

  /** Who would run alone needs to fit in nothing but the pool. */
  #tryAdmit(sequence: ScheduledSequence, prefills: ScheduledSequence[], budget: number): boolean {
    const kvCache = this.#kvCache;
    const isAlone = this.#running.size === 0;
    const kept = this.#promised + this.#growthFor(sequence);
    const room = kvCache.numFreeBlocks - kept;
    if (!isAlone && room <= sequence.refusedRoom && this.#departures.numParked === 0) {
      return this.#refuse(sequence, sequence.refusedRoom);
    }

    const isFork = canFork(kvCache, sequence);
    const whole = this.#blocksBetween(0, sequence.length);
    // Where all of it fits nothing is to be looked up. Opening may load blocks from a host tier: not for one that cannot stay.
    if (isFork || whole > room || !this.#getsShare(sequence, sequence.length, prefills, budget)) {
      const numFound = isFork ? numSharedTokens(sequence) : kvCache.lookup(knownTokens(sequence), sequence.openOptions);
      if (!this.#getsShare(sequence, sequence.length - numFound, prefills, budget)) return false;
      // A fork keeps what its parent gives up.
      if (!isFork && !isAlone) {
        const least = this.#blocksBetween(numFound, sequence.length);
        while (least > kvCache.numFreeBlocks - kept && this.#departures.giveUpParked());
        if (least > kvCache.numFreeBlocks - kept) return this.#refuse(sequence, room);
      }
    }
    const numCached = isFork ? this.#fork(sequence) : this.#open(sequence);
    const needed = isFork ? kvCache.groups.length : this.#blocksBetween(numCached, sequence.length);
    const numReserved = sequence.numFruitless >= 2 ? sequence.length : numCached + 1;
    do {
      if (!isAlone && needed > kvCache.numFreeBlocks - kept) continue;
      if (!kvCache.reserve(sequence.id, numReserved)) continue;
      this.#start(sequence, numCached);
      prefills.push(sequence);
      return true;
    } while (this.#departures.giveUpParked());
    kvCache.close(sequence.id);
    // Its parent was given up for it in vain: opened by itself it needs no blocks behind its windows.
    if (isFork && sequence.parent === null) return this.#tryAdmit(sequence, prefills, budget);
    return this.#refuse(sequence, room);
  }

  #refuse(sequence: ScheduledSequence, room: number): false {
    sequence.refusedRoom = room;
    this.#passed.push(sequence);
    return false;
  }

  #getsShare(
    sequence: ScheduledSequence,
    numLeft: number,
    prefills: readonly ScheduledSequence[],
    budget: number,
  ): boolean {
    // Who goes before all others has half of the step.
    if (prefills.every((other) => this.#policy.compareService(sequence, other) < 0)) return true;
    return shareOfNewcomer(prefills, numLeft, budget, this.#options.longPrefillTokenThreshold) > 0;
  }

  #start(sequence: ScheduledSequence, numCached: number): void {
    this.#waiting.remove(sequence, true);
    const parent = this.#forks.unlink(sequence);
    if (parent !== null) this.#departures.dropIfUnwanted(parent);
    sequence.status = 'running';
    sequence.slot = this.#slots.take();
    sequence.needsStart = true;
    sequence.numCached = numCached;
    sequence.numComputed = numCached;
    sequence.numPlanned = numCached;
    sequence.lengthAtAdmission = sequence.length;
    sequence.refusedRoom = -1;
    sequence.tenant.numWaiting--;
    sequence.tenant.numRunning++;
    const numNew = sequence.length - Math.max(numCached, sequence.numServed);
    if (numNew > 0) sequence.tenant.serve(numNew);
    sequence.numServed = Math.max(sequence.numServed, sequence.length);
    this.#running.add(sequence);
    this.#promised += this.#blocksBetween(numCached, sequence.length);
    this.#forks.advance(sequence);
  }

  #open(sequence: ScheduledSequence): number {
    return this.#kvCache.open(sequence.id, knownTokens(sequence), sequence.openOptions);
  }

  #fork(sequence: ScheduledSequence): number {
    const numTokens = numSharedTokens(sequence);
    this.#kvCache.fork((sequence.parent as ScheduledSequence).id, sequence.id, numTokens);
    return numTokens;
  }

  #blocksBetween(from: number, to: number): number {
    return blocksToHold(this.#kvCache, to) - blocksToHold(this.#kvCache, from);
  }
}

function knownTokens({ tokens, length }: ScheduledSequence): Int32Array {
  return tokens.subarray(0, length);
}
