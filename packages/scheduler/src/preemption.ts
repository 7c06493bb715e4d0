import type { RunningSet } from './running-set.js';

/**
 * Chooses whom to preempt for the sequence at `index`: among those behind it that are in no uncommitted plan, the one
 * with the fewest tokens to compute again; of equals, the last. Who is ahead is never touched, so the first always goes on.
 * @returns Its index, or -1.
 */
export function chooseVictim(running: RunningSet, index: number): number {
  let victim = -1;
  let fewest = Number.POSITIVE_INFINITY;
  for (let at = index + 1; at < running.size; at++) {
    const { numInFlight, numComputed } = running.at(at);
    if (numInFlight === 0 && numComputed <= fewest) {
      fewest = numComputed;
      victim = at;
    }
  }
  return victim;
}
