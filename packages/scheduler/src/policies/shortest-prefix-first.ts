import { byArrival, never, type SchedulingPolicy } from './policy.js';

/** Sequences at the head of the queue among which the shortest is chosen. */
const WINDOW = 16;

/**
 * Fewest uncached tokens first, among the first few in order of arrival: prompts whose prefix is cached run while it still
 * is. Nobody is chosen before one that was passed `maxBypass` times, so that nobody starves.
 */
export const shortestPrefixFirst: SchedulingPolicy = {
  compare: byArrival,
  compareService: byArrival,
  outranks: never,
  queues: 'one',
  letsShorterPass: true,
  window: WINDOW,
  needsUncached: true,
  choose(candidates, maxBypass) {
    let best = 0;
    for (let i = 1; i < candidates.length && candidates[i - 1]!.numBypassed < maxBypass; i++) {
      if (candidates[i]!.numUncached < candidates[best]!.numUncached) best = i;
    }
    return best;
  },
};
