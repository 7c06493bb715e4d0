import type { GoldenModel } from '@kvasir/testing';
import { describe, expect, it } from 'vitest';
import { checkRealModel } from '../support/real-model-property.js';

describe('tokens never change on real models', () => {
  it.each<[GoldenModel, string]>([
    ['smollm2', 'KVASIR_TEST_SMOLLM2'],
    ['gemma3', 'KVASIR_TEST_GEMMA3'],
  ])(
    '%s: ids and bits of log-probabilities, with up to 31 others (the long set)',
    async (name, variable) => {
      const path = process.env[variable] as string;
      const reach = await checkRealModel(path, name, { numRuns: 60, maxOthers: 31, maxPrompt: 300, maxTokens: 24 });
      process.stdout.write(`${name}, long: ${JSON.stringify(reach)}\n`);
      expect(reach.numPreemptions).toBeGreaterThan(0);
      expect(reach.prefixHitTokens).toBeGreaterThan(0);
    },
    7_200_000,
  );

  it('Gemma 3: prompts longer than its windows of 512 (the long set)', async () => {
    const path = process.env['KVASIR_TEST_GEMMA3'] as string;
    const bounds = { numRuns: 10, maxOthers: 3, minPrompt: 500, maxPrompt: 600, maxTokens: 16 };
    const reach = await checkRealModel(path, 'gemma3', bounds);
    process.stdout.write(`gemma3, windows: ${JSON.stringify(reach)}\n`);
    expect(reach.numForks).toBeGreaterThan(0);
  }, 7_200_000);
});
