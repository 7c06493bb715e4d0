import { describe, expect, it } from 'vitest';
import { checkRealModel } from '../support/real-model-property.js';

describe('tokens never change on a real model', () => {
  it('SmolLM2: ids and bits of log-probabilities, alone and in company (the short set)', async () => {
    const path = process.env['KVASIR_TEST_SMOLLM2'] as string;
    const bounds = { numRuns: 4, maxOthers: 5, maxPrompt: 48, maxTokens: 8 };
    const reach = await checkRealModel(path, 'smollm2', bounds);
    process.stdout.write(`real model, short: ${reach.numCases} cases in ${reach.elapsedMs} ms\n`);
    expect(reach.numCases).toBeGreaterThan(0);
  }, 240_000);
});
