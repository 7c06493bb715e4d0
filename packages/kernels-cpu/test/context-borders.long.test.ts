import { it } from 'vitest';
import { checkContextBorders } from './support/context-borders.js';

it('contexts at every border up to 4,000 tokens, in batches of 1 to 64 with many long ones', async () => {
  await checkContextBorders({ numRuns: 30, maxBatch: 64, maxBorders: 15, maxLongCompanions: 12 });
}, 1_800_000);
