import { byArrival, never, type SchedulingPolicy } from './policy.js';

/** First come, first served. A preempted sequence keeps its place. */
export const fcfs: SchedulingPolicy = {
  compare: byArrival,
  compareService: byArrival,
  outranks: never,
  queues: 'one',
  letsShorterPass: true,
  window: 1,
  needsUncached: false,
  choose: () => 0,
};
