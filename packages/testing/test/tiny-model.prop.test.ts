import type { StepResult } from '@kvasir/interfaces';
import { RESULT_FIELD, RESULT_WORDS } from '@kvasir/interfaces';
import { createReferenceBackend } from '@kvasir/kernels-cpu/reference';
import { decodeRow } from '@kvasir/quant';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createTinyModel, fcParameters, StepBuilder, tinyModelSpec } from '../src/index.js';

const BLOCK_SIZE = 4;
const backend = createReferenceBackend({ decodeWeight: decodeRow });

/** Log-probabilities of every token of `tokens` but the first, computed in chunks that end where `borders` say. */
async function score(
  spec: Parameters<typeof createTinyModel>[0],
  tokens: readonly number[],
  borders: readonly number[],
  shift: number,
): Promise<number[]> {
  using model = createTinyModel(spec);
  const numBlocks = Math.ceil(tokens.length / BLOCK_SIZE);
  const numGroups = model.program.kvGroups.length;
  const session = await backend.openSession({
    programs: [model.program],
    mode: 'float32',
    kvCacheDtype: 'auto',
    blockSize: BLOCK_SIZE,
    numBlocks: 1 + shift + numGroups * numBlocks,
    maxSlots: 1,
    maxModelLen: 64,
    maxTokensPerStep: 64,
    maxOutputsPerStep: 64,
    maxTopLogprobs: 0,
    maxInFlight: 1,
    eosTokenIds: [],
  });
  const results: number[] = [];
  let start = 0;
  for (const [index, end] of [...borders, tokens.length].entries()) {
    const step = new StepBuilder(index + 1);
    if (index === 0) {
      step.init({ slot: 0, history: tokens, maxLength: tokens.length + 1 });
      for (let group = 0; group < numGroups; group++) {
        const ids = Array.from({ length: numBlocks }, (_, i) => 1 + shift + group * numBlocks + i);
        step.table(0, group, 0, ids);
      }
    }
    step.row(0, end - start);
    for (let i = start; i < Math.min(end, tokens.length - 1); i++) {
      step.output(i - start, { kind: 'logprob', targetId: tokens[i + 1]!, topK: 0 });
    }
    results.push(...logprobsOf(await session.step(step.build())));
    start = end;
  }
  await session.close();
  return results;
}

function logprobsOf({ outputs }: StepResult): number[] {
  const floats = new Float32Array(outputs.buffer);
  return Array.from(
    { length: outputs.length / RESULT_WORDS },
    (_, i) => floats[i * RESULT_WORDS + RESULT_FIELD.logprob]!,
  );
}

describe('the reference backend on tiny random models', () => {
  it('scores the same in one chunk and in many, wherever the blocks are', async () => {
    await fc.assert(
      fc.asyncProperty(
        tinyModelSpec(),
        fc.array(fc.nat({ max: 16 }), { minLength: 2, maxLength: 20 }),
        fc.uniqueArray(fc.integer({ min: 1, max: 19 }), { maxLength: 5 }),
        fc.nat({ max: 3 }),
        async (spec, tokens, cuts, shift) => {
          const whole = await score(spec, tokens, [], 0);
          const borders = cuts.filter((cut) => cut < tokens.length).sort((a, b) => a - b);
          expect(await score(spec, tokens, borders, shift)).toEqual(whole);
          expect(whole).toHaveLength(tokens.length - 1);
          expect(whole.every((logprob) => Number.isFinite(logprob) && logprob < 0)).toBe(true);
        },
      ),
      fcParameters(60),
    );
  }, 60_000);

  it('sees a window and no further', async () => {
    const spec = fc.sample(tinyModelSpec({ numLayers: 1, window: 3, encoding: 'f32' }), { numRuns: 1, seed: 1 })[0]!;
    const near = await score(spec, [1, 2, 3, 4, 5, 6, 7], [], 0);
    const far = await score(spec, [9, 8, 3, 4, 5, 6, 7], [], 0);
    expect(far.slice(4)).toEqual(near.slice(4));
    expect(far.slice(0, 3)).not.toEqual(near.slice(0, 3));
  });
});
