import { invarianceSuite } from './support/invariance-suite.js';

const seed = Number(process.env.FC_SEED ?? Date.now() % 2 ** 31);
const long = {
  numCases: 48,
  batchSizes: [1, 2, 3, 5, 8, 13, 21, 31],
  chunkSizes: [1, 2, 3, 7, 15, 16, 17, 64, 100, 256, 512],
  seed,
  timeoutMs: 1_800_000,
} as const;

invarianceSuite({ ...long, model: 'smollm2', dtype: 'auto' });
invarianceSuite({ ...long, model: 'gemma3', dtype: 'auto', numCases: 24 });
invarianceSuite({ ...long, model: 'smollm2', dtype: 'float32', numCases: 12 });
