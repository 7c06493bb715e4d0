import { InvariantError, type SequenceId } from '@kvasir/interfaces';
import type { Departures } from './departures.js';
import type { Forks } from './forks.js';
import type { PlanRing } from './plan-ring.js';
import type { RunningSet } from './running-set.js';
import { NO_SLOT, type ScheduledSequence } from './scheduled-sequence.js';
import type { Slots } from './slots.js';
import type { Tenants } from './tenants.js';
import type { WaitingQueue } from './waiting-queue.js';

/** Everything that a scheduler is made of. */
export interface Bookkeeping {
  readonly sequences: ReadonlyMap<SequenceId, ScheduledSequence>;
  readonly running: RunningSet;
  readonly waiting: WaitingQueue;
  readonly forks: Forks;
  readonly slots: Slots;
  readonly departures: Departures;
  readonly tenants: Tenants;
  readonly plans: PlanRing;
}

/** @throws `InvariantError` at the first inconsistency between sequences, queues, slots and plans. */
export function checkBookkeeping({
  sequences,
  running,
  waiting,
  forks,
  slots,
  departures,
  tenants,
  plans,
}: Bookkeeping): void {
  running.checkIntegrity();
  waiting.checkIntegrity();
  const numInFlight = new Map<ScheduledSequence, number>();
  const numSamples = new Map<ScheduledSequence, number>();
  for (const { rows } of plans.uncommitted()) {
    for (const { state, samples } of rows) {
      numInFlight.set(state, (numInFlight.get(state) ?? 0) + 1);
      if (samples) numSamples.set(state, (numSamples.get(state) ?? 0) + 1);
    }
  }
  const counts = { waiting: 0, running: 0, parked: 0, ended: 0 };
  const taken = new Set<number>();
  for (const sequence of sequences.values()) {
    counts[sequence.status]++;
    const { id, status, slot, length, numComputed, numPlanned, numPlaceholders } = sequence;
    const facts = { sequence: id, status, slot, length, numComputed, numPlanned, numPlaceholders };
    if (sequence.numInFlight !== (numInFlight.get(sequence) ?? 0)) throw new InvariantError('rows in flight', facts);
    if (status === 'waiting') {
      if (numPlanned !== 0 || slot !== -1) throw new InvariantError('a waiting sequence holds something', facts);
      continue;
    }
    if (status === 'parked' && slot === NO_SLOT) continue;
    if (slot < 0 || slot >= slots.size || taken.has(slot)) throw new InvariantError('slot is not its own', facts);
    taken.add(slot);
    if (status === 'ended') {
      if (sequence.numInFlight === 0) throw new InvariantError('an ended sequence was kept', facts);
      continue;
    }
    if (status === 'parked') continue;
    if (numPlaceholders !== (numSamples.get(sequence) ?? 0)) throw new InvariantError('samples in flight', facts);
    if (!(numComputed <= numPlanned && numComputed < length)) throw new InvariantError('lengths out of order', facts);
    if (length + numPlaceholders > sequence.spec.maxLength) throw new InvariantError('planned past its end', facts);
  }
  forks.checkIntegrity(sequences.values());
  departures.checkIntegrity();
  tenants.checkIntegrity();
  const facts = { ...counts, numFreeSlots: slots.numFree, slots: slots.size };
  if (counts.running !== running.size || counts.waiting !== waiting.size + forks.numDeferred) {
    throw new InvariantError('queues', facts);
  }
  if (taken.size + slots.numFree !== slots.size) throw new InvariantError('slots leaked', facts);
  checkTenantCounts(sequences, tenants);
}

function checkTenantCounts(sequences: Bookkeeping['sequences'], tenants: Tenants): void {
  const left = new Map<string, number>();
  for (const { name, numWaiting, numRunning } of tenants.all.values()) left.set(name, numWaiting + numRunning);
  for (const { status, tenant } of sequences.values()) {
    if (status === 'waiting' || status === 'running') left.set(tenant.name, (left.get(tenant.name) ?? 0) - 1);
  }
  for (const [tenant, miscount] of left) {
    if (miscount !== 0) throw new InvariantError('sequences of a tenant were miscounted', { tenant, miscount });
  }
}
