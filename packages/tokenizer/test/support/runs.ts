import type { Parameters } from 'fast-check';

/** fast-check settings from `FC_RUNS`, `FC_SEED` and `FC_PATH`; `share` scales down properties with costly cases. */
export function runs<T>(share = 1): Parameters<T> {
  const { FC_RUNS, FC_SEED, FC_PATH } = process.env;
  return {
    numRuns: Math.max(1, Math.round(Number(FC_RUNS ?? 200) * share)),
    ...(FC_SEED === undefined ? {} : { seed: Number(FC_SEED) }),
    ...(FC_PATH === undefined ? {} : { path: FC_PATH }),
  };
}
