import { createTinyModel, fcParameters, tinyModelSpec, tinyRequest } from '@kvasir/testing';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { choiceEssence, runChoicesAlone, runChoicesTogether } from '../support/essence.js';
import { type NativeOptions, openNativeEngine, POLICIES } from '../support/native-engine.js';

const BLOCK_SIZE = 16;
// Outputs outgrow the block that their prompt ends in, so that tight pools preempt.
const bounds = { vocabSize: 17, maxPrompt: 30, maxTokens: 44 };
const maxModelLen = bounds.maxPrompt + bounds.maxTokens + 2;
const reached = { preemptions: 0, prefixHits: 0, batched: 0, windows: 0, choices: 0, hostHits: 0 };

describe('tokens never change on the native backend, tiny random models', () => {
  afterAll(() => {
    if (process.env['FC_PATH'] !== undefined) return;
    expect(reached.preemptions).toBeGreaterThan(0);
    expect(reached.prefixHits).toBeGreaterThan(0);
    expect(reached.batched).toBeGreaterThan(5);
    expect(reached.windows).toBeGreaterThan(2);
    expect(reached.hostHits).toBeGreaterThan(0);
    expect(reached.choices).toBeGreaterThan(10);
  });

  const shape = fc.record({
    mode: fc.constantFrom<'auto' | 'float32'>('auto', 'float32'),
    kvCacheDtype: fc.constantFrom<'auto' | 'float32' | 'bfloat16' | 'int8'>('auto', 'float32', 'bfloat16', 'int8'),
    numThreads: fc.constantFrom(1, 2),
    maxNumSeqs: fc.integer({ min: 1, max: 6 }),
    extraTokens: fc.oneof(fc.nat({ max: 4 }), fc.nat({ max: 60 })),
    spareBlocks: fc.oneof(fc.constant(0), fc.nat({ max: 3 }), fc.nat({ max: 12 })),
    maxInFlight: fc.constantFrom<1 | 2>(1, 2),
    cache: fc.constantFrom<Pick<NativeOptions, 'enablePrefixCaching' | 'hostBlocks'>>(
      { enablePrefixCaching: false },
      { enablePrefixCaching: true },
      { enablePrefixCaching: true, hostBlocks: 60 },
      { enablePrefixCaching: true, hostBlocks: 60 },
    ),
    policy: fc.constantFrom(...POLICIES),
  });

  const manyChoices = fc.record({
    tiny: tinyRequest(bounds),
    n: fc.constantFrom(1, 1, 1, 2, 3),
    priority: fc.integer({ min: 0, max: 2 }),
  });

  it('whatever the company, forks, chunks, threads, cache, pool and steps in flight, to the last bit of each log-probability', async () => {
    await fc.assert(
      fc.asyncProperty(
        tinyModelSpec(),
        fc.array(manyChoices, { minLength: 1, maxLength: 5 }),
        shape,
        async (spec, many, { extraTokens, spareBlocks, numThreads, cache, ...options }) => {
          using model = createTinyModel(spec);
          const { program } = model;
          const needed = program.kvGroups.length * Math.ceil(maxModelLen / BLOCK_SIZE);
          const common = { ...options, program, blockSize: BLOCK_SIZE, maxModelLen, eosTokenIds: [1] };
          const engine = await openNativeEngine({
            ...common,
            ...cache,
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
          const alone = (await runChoicesAlone(quiet, many)).map((choices) => choices.map(choiceEssence));
          const together = async () =>
            (await runChoicesTogether(engine, many)).map((choices) => choices.map(choiceEssence));
          expect(await together()).toEqual(alone);
          // Again, over whatever the first run has left in the cache.
          expect(await together()).toEqual(alone);
          engine.checkIntegrity();
          const stats = engine.stats();
          reached.preemptions += stats.numPreemptions;
          reached.prefixHits += stats.prefixHitTokens;
          reached.hostHits += stats.hostTier?.hitTokens ?? 0;
          reached.choices += many.some(({ n }) => n > 1) ? 1 : 0;
          reached.batched += many.length > 1 && options.maxNumSeqs > 1 ? 1 : 0;
          reached.windows += spec.window === undefined ? 0 : 1;
          await Promise.all([engine.close(), quiet.close()]);
        },
      ),
      fcParameters(40),
    );
  }, 180_000);
});
