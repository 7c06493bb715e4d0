import { InvariantError, type SequenceId, type SlotId } from '@kvasir/interfaces';
import { beforeEach, expect, it } from 'vitest';
import { Departures } from '../src/departures.js';
import { Forks } from '../src/forks.js';
import { checkBookkeeping } from '../src/integrity.js';
import { PlanRing } from '../src/plan-ring.js';
import { fcfs } from '../src/policies/fcfs.js';
import { RunningSet } from '../src/running-set.js';
import type { ScheduledSequence } from '../src/scheduled-sequence.js';
import { Slots } from '../src/slots.js';
import { Tenants } from '../src/tenants.js';
import { TokenBuffers } from '../src/token-buffers.js';
import { WaitingQueue } from '../src/waiting-queue.js';
import { FakeKvCache } from './support/fake-kv-cache.js';
import { makeSequence } from './support/make-sequence.js';

let tenants: Tenants;
const make = (arrival: number) => makeSequence(arrival, {}, tenants.enter(''));

let one: ScheduledSequence;
let two: ScheduledSequence;
let last: ScheduledSequence;
let running: RunningSet;
let waiting: WaitingQueue;
let slots: Slots;
let plans: PlanRing;
let fork: ScheduledSequence;
let parked: ScheduledSequence;
let forks: Forks;
let departures: Departures;
let sequences: Map<SequenceId, ScheduledSequence>;
const check = () => checkBookkeeping({ sequences, running, waiting, forks, slots, departures, tenants, plans });

/** Two run, one of them in a plan; one waits, one is to fork the second, and one is parked. */
beforeEach(() => {
  tenants = new Tenants(new Map());
  [one, two, last] = [make(0), make(1), make(2)];
  running = new RunningSet(fcfs.compare);
  waiting = new WaitingQueue(fcfs, 4, () => 0);
  forks = new Forks(waiting);
  slots = new Slots(3);
  departures = new Departures({ kvCache: new FakeKvCache(9), slots, forks, tenants, buffers: new TokenBuffers(0) });
  sequences = departures.sequences;
  plans = new PlanRing(1);
  [fork, parked] = [make(3), make(4)];
  for (const sequence of [one, two, last, fork, parked]) sequences.set(sequence.id, sequence);
  for (const sequence of [one, two]) {
    Object.assign(sequence, { status: 'running', slot: slots.take() });
    running.add(sequence);
  }
  waiting.push(last);
  forks.link(fork, two);
  tenants.enter('').numWaiting = 2;
  tenants.enter('').numRunning = 3;
  Object.assign(parked, { parks: true, status: 'running' });
  departures.end(parked, true);
  const plan = plans.next();
  Object.assign(plan.addRow(), { state: one, samples: true });
  Object.assign(one, { numInFlight: 1, numPlanned: 2, numPlaceholders: 1 });
  plans.push(plan);
});

it('finds nothing where all is well', () => {
  check();
});

it.each<[string, () => void]>([
  ['rows in flight', () => plans.pop()],
  ['samples in flight', () => Object.assign(one, { numPlaceholders: 0 })],
  ['slot is not its own', () => Object.assign(two, { slot: one.slot })],
  ['slot is not its own', () => Object.assign(two, { slot: 3 as SlotId })],
  ['slots leaked', () => slots.take()],
  ['slot is released but not taken', () => slots.release(2 as SlotId, true)],
  ['lengths out of order', () => Object.assign(two, { numComputed: 1 })],
  ['lengths out of order', () => Object.assign(two, { numComputed: 2, numPlanned: 2 })],
  ['planned past its end', () => Object.assign(two, { length: 10 })],
  ['a waiting sequence holds something', () => Object.assign(last, { numPlanned: 1 })],
  ['queued sequence does not know it', () => Object.assign(last, { isQueued: false })],
  ['queued sequence is not waiting', () => Object.assign(last, { status: 'running' })],
  ['running set holds another', () => Object.assign(two, { status: 'ended' })],
  ['an ended sequence was kept', () => [Object.assign(two, { status: 'ended' }), running.sweep()]],
  ['running set is out of order', () => Object.assign(one, { arrival: 5 })],
  ['a fork is linked from one side only', () => Object.assign(two, { forks: null })],
  [
    'a fork waits for one that is gone',
    () => Object.assign(fork, { parent: Object.assign(make(5), { status: 'ended', forks: new Set([fork]) }) }),
  ],
  ['a fork is due but not queued', () => Object.assign(two, { numComputed: 1, numPlanned: 1 })],
  ['deferred forks were miscounted', () => sequences.delete(fork.id)],
  [
    'a parked sequence is not listed',
    () => sequences.set(6 as SequenceId, Object.assign(make(5), { status: 'parked' })),
  ],
  ['parked for nobody', () => Object.assign(parked, { parks: false })],
  ['a parked sequence has a slot exactly while it is in flight', () => Object.assign(parked, { slot: 2 })],
  ['parked sequences were miscounted', () => sequences.delete(parked.id)],
  ['sequences of a tenant were miscounted', () => tenants.enter('').numRunning++],
  ['a tenant without sequences was kept', () => tenants.enter('other')],
  ['queues', () => running.removeAt(1)],
])('names the damage: %s', (message, damage) => {
  let thrown: unknown;
  try {
    damage();
    check();
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toBeInstanceOf(InvariantError);
  expect((thrown as InvariantError).message).toContain(message);
});
