import type fc from 'fast-check';
import { expect } from 'vitest';

const { FC_RUNS, FC_SEED, FC_PATH } = process.env;

/** Runs, seed and path of a property, from the environment; `numRuns` when FC_RUNS is not set. */
export function runSettings(numRuns: number): fc.Parameters<unknown> {
  return {
    numRuns: FC_RUNS === undefined ? numRuns : Number(FC_RUNS),
    ...(FC_SEED === undefined ? {} : { seed: Number(FC_SEED) }),
    ...(FC_PATH === undefined ? {} : { path: FC_PATH }),
  };
}

/**
 * Coverage floors: how often each case must have come up per run, so that a generator that drifts away fails.
 * Not asked for when one case is replayed.
 */
export function expectReached(
  reached: Readonly<Record<string, number>>,
  floors: Readonly<Record<string, number>>,
  numRuns: number,
): void {
  if (FC_PATH !== undefined) return;
  const runs = FC_RUNS === undefined ? numRuns : Number(FC_RUNS);
  for (const [what, floor] of Object.entries(floors)) expect(reached[what]! / runs, what).toBeGreaterThan(floor);
}
