import { createTinyModel, fcParameters, tinyModelSpec, tinyRequest } from '@kvasir/testing';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { essence, runInTurn, runTogether } from '../support/essence.js';
import { openNativeEngine } from '../support/native-engine.js';

const BLOCK_SIZE = 16;
// Outputs outgrow the block that their prompt ends in, so that tight pools preempt.
const bounds = { vocabSize: 17, maxPrompt: 30, maxTokens: 44 };
const maxModelLen = bounds.maxPrompt + bounds.maxTokens + 2;
const reached = { preemptions: 0, prefixHits: 0, batched: 0, windows: 0 };

describe('tokens never change on the native backend, tiny random models', () => {
  afterAll(() => {
    if (process.env['FC_PATH'] !== undefined) return;
    expect(reached.preemptions).toBeGreaterThan(0);
    expect(reached.prefixHits).toBeGreaterThan(0);
    expect(reached.batched).toBeGreaterThan(5);
    expect(reached.windows).toBeGreaterThan(2);
  });

  const shape = fc.record({
    mode: fc.constantFrom<'auto' | 'float32'>('auto', 'float32'),
    kvCacheDtype: fc.constantFrom<'auto' | 'float32' | 'bfloat16'>('auto', 'float32', 'bfloat16'),
    numThreads: fc.constantFrom(1, 2),
    maxNumSeqs: fc.integer({ min: 1, max: 6 }),
    extraTokens: fc.oneof(fc.nat({ max: 4 }), fc.nat({ max: 60 })),
    spareBlocks: fc.oneof(fc.constant(0), fc.nat({ max: 3 }), fc.nat({ max: 12 })),
    maxInFlight: fc.constantFrom<1 | 2>(1, 2),
    enablePrefixCaching: fc.boolean(),
  });

  it('whatever the company, chunks, threads, cache, pool and steps in flight, to the last bit of each log-probability', async () => {
    await fc.assert(
      fc.asyncProperty(
        tinyModelSpec(),
        fc.array(tinyRequest(bounds), { minLength: 1, maxLength: 6 }),
        shape,
        async (spec, tiny, { extraTokens, spareBlocks, numThreads, ...options }) => {
          using model = createTinyModel(spec);
          const { program } = model;
          const needed = program.kvGroups.length * Math.ceil(maxModelLen / BLOCK_SIZE);
          const common = { ...options, program, blockSize: BLOCK_SIZE, maxModelLen, eosTokenIds: [1] };
          const engine = await openNativeEngine({
            ...common,
            numThreads,
            maxNumBatchedTokens: options.maxNumSeqs + extraTokens,
            numBlocks: 1 + needed + spareBlocks,
          });
          const quiet = await openNativeEngine({
            ...common,
            numThreads: 1,
            maxNumSeqs: 1,
            maxInFlight: 1,
            enablePrefixCaching: false,
            maxNumBatchedTokens: 64,
            numBlocks: 1 + needed,
          });
          const alone = (await runInTurn(quiet, tiny)).map(essence);
          expect((await runTogether(engine, tiny)).map(essence)).toEqual(alone);
          // Again, over whatever the first run has left in the cache.
          expect((await runTogether(engine, tiny)).map(essence)).toEqual(alone);
          engine.checkIntegrity();
          const stats = engine.stats();
          reached.preemptions += stats.numPreemptions;
          reached.prefixHits += stats.prefixHitTokens;
          reached.batched += tiny.length > 1 && options.maxNumSeqs > 1 ? 1 : 0;
          reached.windows += spec.window === undefined ? 0 : 1;
          await Promise.all([engine.close(), quiet.close()]);
        },
      ),
      fcParameters(40),
    );
  }, 180_000);
});
