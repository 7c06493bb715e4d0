import { InvariantError, type KvCacheManager, type SequenceId } from '@kvasir/interfaces';
import type { Forks } from './forks.js';
import { NO_SLOT, type ScheduledSequence } from './scheduled-sequence.js';
import type { Slots } from './slots.js';
import type { Tenants } from './tenants.js';
import type { TokenBuffers } from './token-buffers.js';

/** What leaving touches. */
export interface DepartureParts {
  readonly kvCache: KvCacheManager;
  readonly slots: Slots;
  readonly forks: Forks;
  readonly tenants: Tenants;
  readonly buffers: TokenBuffers;
}

/**
 * How sequences leave: at once, once no uncommitted plan holds them, or by way of being parked.
 *
 * ```
 * running ──ends──► parked ──unpark, or the room is needed──► ended ──► forgotten
 *    └────────────ends, fails, is aborted───────────────────►
 * ```
 */
export class Departures {
  /** Waiting, running, parked, and ended ones that an uncommitted plan still holds. */
  readonly sequences: Map<SequenceId, ScheduledSequence> = new Map();
  readonly #kvCache: KvCacheManager;
  readonly #slots: Slots;
  readonly #forks: Forks;
  readonly #tenants: Tenants;
  readonly #buffers: TokenBuffers;
  /** In the order in which they were parked. */
  readonly #parked = new Set<ScheduledSequence>();

  constructor({ kvCache, slots, forks, tenants, buffers }: DepartureParts) {
    this.#kvCache = kvCache;
    this.#slots = slots;
    this.#forks = forks;
    this.#tenants = tenants;
    this.#buffers = buffers;
  }

  get numParked(): number {
    return this.#parked.size;
  }

  /** Ends a running sequence whose blocks are good: they stay while it parks, or while queued forks are to share them. */
  end(sequence: ScheduledSequence, mayPark: boolean): void {
    sequence.parks &&= mayPark;
    this.#forks.release(sequence);
    if (!sequence.parks && sequence.forks === null) {
      this.drop(sequence);
      return;
    }
    this.#leaveTenant(sequence);
    sequence.status = 'parked';
    this.#parked.add(sequence);
    this.settle(sequence);
  }

  /** Ends a running or parked sequence for good. */
  drop(sequence: ScheduledSequence): void {
    this.#leaveTenant(sequence);
    sequence.status = 'ended';
    this.#parked.delete(sequence);
    this.#forks.orphan(sequence);
    this.settle(sequence);
  }

  /** Ends a waiting sequence, which holds nothing. */
  forget(sequence: ScheduledSequence): void {
    this.#leaveTenant(sequence);
    sequence.status = 'ended';
    sequence.giveBack(this.#buffers);
    this.sequences.delete(sequence.id);
  }

  /** A plan that held `sequence` is committed: what it keeps for plans alone is given up with the last of them. */
  settle(sequence: ScheduledSequence): void {
    if (sequence.numInFlight > 0) return;
    if (sequence.slot !== NO_SLOT) this.#slots.release(sequence.slot, !sequence.needsStart);
    sequence.slot = NO_SLOT;
    if (sequence.status !== 'ended') return;
    this.#kvCache.close(sequence.id);
    sequence.giveBack(this.#buffers);
    this.sequences.delete(sequence.id);
  }

  /** @returns `false` if it does not park. */
  unpark(sequence: ScheduledSequence): boolean {
    if (!sequence.parks || sequence.status === 'ended') return false;
    sequence.parks = false;
    this.dropIfUnwanted(sequence);
    return true;
  }

  /** A fork of `sequence` was admitted or withdrawn. */
  dropIfUnwanted(sequence: ScheduledSequence): void {
    if (sequence.status === 'parked' && !sequence.parks && sequence.forks === null) this.drop(sequence);
  }

  /**
   * Gives up the blocks of one parked sequence that no plan holds: the oldest for which no fork is queued, else the oldest.
   * @returns `false` when there is none.
   */
  giveUpParked(): boolean {
    let chosen: ScheduledSequence | undefined;
    for (const sequence of this.#parked) {
      if (sequence.numInFlight > 0) continue;
      if (sequence.forks === null) {
        chosen = sequence;
        break;
      }
      chosen ??= sequence;
    }
    if (chosen === undefined) return false;
    this.drop(chosen);
    return true;
  }

  #leaveTenant({ status, tenant }: ScheduledSequence): void {
    if (status === 'waiting') tenant.numWaiting--;
    else if (status === 'running') tenant.numRunning--;
    this.#tenants.leave(tenant);
  }

  checkIntegrity(): void {
    let numParked = 0;
    for (const sequence of this.sequences.values()) {
      if (sequence.status !== 'parked') continue;
      numParked++;
      const { id, slot, numInFlight, parks } = sequence;
      const facts = { sequence: id, slot, numInFlight, parks };
      if (!this.#parked.has(sequence)) throw new InvariantError('a parked sequence is not listed', facts);
      if (!parks && sequence.forks === null) throw new InvariantError('parked for nobody', facts);
      if ((slot === NO_SLOT) !== (numInFlight === 0)) {
        throw new InvariantError('a parked sequence has a slot exactly while it is in flight', facts);
      }
    }
    if (numParked !== this.#parked.size) {
      throw new InvariantError('parked sequences were miscounted', { numParked, listed: this.#parked.size });
    }
  }
}
