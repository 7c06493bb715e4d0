import { invarianceSuite } from './support/invariance-suite.js';

const short = {
  numCases: 8,
  batchSizes: [1, 7, 31],
  chunkSizes: [1, 5, 16, 512],
  seed: 20261124,
  timeoutMs: 600_000,
} as const;

invarianceSuite({ ...short, model: 'smollm2', dtype: 'auto' });
invarianceSuite({ ...short, model: 'gemma3', dtype: 'auto', numCases: 3, batchSizes: [5], chunkSizes: [3, 64] });
invarianceSuite({ ...short, model: 'smollm2', dtype: 'float32', numCases: 2, batchSizes: [3], chunkSizes: [4, 64] });
