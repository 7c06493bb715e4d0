import type { Parameters } from 'fast-check';

/**
 * Parameters of every property: `FC_RUNS`, `FC_SEED` and `FC_PATH` of the environment, so that a failure is replayed by
 * copying what fast-check printed.
 * @param defaultRuns - Runs without `FC_RUNS`.
 */
export function fcParameters<T>(defaultRuns = 100): Parameters<T> {
  const { FC_RUNS, FC_SEED, FC_PATH } = process.env;
  return {
    numRuns: FC_RUNS === undefined ? defaultRuns : readInteger('FC_RUNS', FC_RUNS),
    ...(FC_SEED === undefined ? {} : { seed: readInteger('FC_SEED', FC_SEED) }),
    ...(FC_PATH === undefined ? {} : { path: FC_PATH, endOnFailure: true }),
  };
}

function readInteger(name: string, value: string): number {
  const number = Number(value);
  if (!Number.isInteger(number)) throw new Error(`${name} is '${value}': expected an integer`);
  return number;
}
