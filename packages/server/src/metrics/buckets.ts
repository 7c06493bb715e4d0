/** vLLM's histogram buckets, so that its dashboards work unchanged. Seconds. */
export const TTFT_BUCKETS: readonly number[] = [
  0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80, 160, 640, 2560,
];

/** Time between tokens, seconds. */
export const ITL_BUCKETS: readonly number[] = [
  0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80,
];

/** Parts of a request's life, seconds. */
export const REQUEST_BUCKETS: readonly number[] = [
  0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680,
];

/** Tokens of a step. */
export const STEP_TOKEN_BUCKETS: readonly number[] = [1, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384];

/** Choices of a request. */
export const CHOICE_BUCKETS: readonly number[] = [1, 2, 5, 10, 20];

/** Inputs of a batch of embeddings. */
export const BATCH_SEQUENCE_BUCKETS: readonly number[] = [1, 2, 4, 8, 16, 32, 64, 128, 256];

/** 1, 2, 5, 10, 20, 50, ... up to `max`. */
export function tokenBuckets(max: number): readonly number[] {
  const buckets: number[] = [];
  for (let power = 1; power <= max; power *= 10) {
    for (const digit of [1, 2, 5]) if (digit * power <= max) buckets.push(digit * power);
  }
  return buckets;
}

/** Steps, seconds. */
export const STEP_SECONDS_BUCKETS: readonly number[] = [
  0.001, 0.002, 0.005, 0.01, 0.02, 0.035, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1, 2, 5,
];

/** HTTP requests, seconds: those of FastAPI's instrumentator. */
export const HTTP_BUCKETS: readonly number[] = [0.1, 0.5, 1];
