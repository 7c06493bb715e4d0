import { byArrival, type PolicyView, type SchedulingPolicy } from './policy.js';

/** Smaller numbers first, arrival among equals. Who waits takes the place of one that runs with a larger number. */
export const priority: SchedulingPolicy = {
  compare: byPriority,
  compareService: byPriority,
  outranks: (a, b) => a.priority < b.priority,
  queues: 'one',
  letsShorterPass: true,
  window: 1,
  needsUncached: false,
  choose: () => 0,
};

function byPriority(a: PolicyView, b: PolicyView): number {
  return a.priority - b.priority || byArrival(a, b);
}
