import { it } from 'vitest';
import { checkContextBorders } from './support/context-borders.js';

it('contexts at every border, in batches of 1 to 64, on every path and number of threads, say what they say alone', async () => {
  await checkContextBorders({ numRuns: 12, maxBatch: 64, maxBorders: 3, maxLongCompanions: 2 });
}, 120_000);
