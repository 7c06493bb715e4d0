import { setImmediate as turn } from 'node:timers/promises';
import { fcParameters, type TinyRequest, tinyRequest } from '@kvasir/testing';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { essence } from './support/essence.js';
import { type HarnessOptions, type Joined, join, request, startEngine } from './support/harness.js';
import { POLICIES } from './support/native-engine.js';

const bounds = { vocabSize: 8, maxPrompt: 12, maxTokens: 10 };
const reached = { preemptions: 0, prefixHits: 0, chunkedPrefills: 0, batched: 0, hostHits: 0 };

async function run(
  tiny: readonly TinyRequest[],
  options: HarnessOptions,
  gaps: readonly number[] = [],
): Promise<Joined[]> {
  const { engine, session, kvCache } = await startEngine({ vocabSize: bounds.vocabSize, maxModelLen: 24, ...options });
  const results: Promise<Joined>[] = [];
  for (const [index, { prompt, ...sampling }] of tiny.entries()) {
    const extras = { priority: index % 3, tenant: `t${index % 2}` };
    results.push(join(engine.submit(request(prompt, sampling, undefined, extras))));
    for (let i = 0; i < (gaps[index] ?? 0); i++) await turn();
  }
  const joined = await Promise.all(results);
  engine.checkIntegrity();
  const stats = engine.stats();
  reached.preemptions += stats.numPreemptions;
  reached.prefixHits += stats.prefixHitTokens;
  reached.hostHits += kvCache.stats().hostTier?.hitTokens ?? 0;
  await engine.close();
  expect(kvCache.numFreeBlocks).toBe(kvCache.numBlocks);
  expect(session.numSlots).toBeLessThanOrEqual(engine.limits.maxNumSeqs);
  return joined;
}

/** Each request alone, in one chunk, without a cache. */
async function runAlone(tiny: readonly TinyRequest[]): Promise<Joined[]> {
  const results: Joined[] = [];
  for (const each of tiny)
    results.push(...(await run([each], { maxNumBatchedTokens: 64, enablePrefixCaching: false })));
  return results;
}

describe('tokens never change', () => {
  afterAll(() => {
    if (process.env['FC_PATH'] !== undefined) return;
    expect(reached.preemptions).toBeGreaterThan(20);
    expect(reached.prefixHits).toBeGreaterThan(50);
    expect(reached.chunkedPrefills).toBeGreaterThan(20);
    expect(reached.batched).toBeGreaterThan(50);
    expect(reached.hostHits).toBeGreaterThan(60);
  });

  it('whatever the company, the chunks, the cache, its tiers, the pool, the windows and the steps in flight', async () => {
    const shape = fc.record({
      maxNumSeqs: fc.integer({ min: 1, max: 6 }),
      extraTokens: fc.integer({ min: 0, max: 8 }),
      blockSize: fc.constantFrom(1, 2, 4),
      // Room for one sequence of the longest kind and hardly more.
      spareBlocks: fc.nat({ max: 30 }),
      maxInFlight: fc.constantFrom<1 | 2>(1, 2),
      cache: fc.constantFrom<Pick<HarnessOptions, 'enablePrefixCaching' | 'hostBlocks' | 'isWorthLoading'>>(
        { enablePrefixCaching: false },
        { enablePrefixCaching: true },
        { hostBlocks: 4 },
        { hostBlocks: 100 },
        { hostBlocks: 100, isWorthLoading: (numTokens, numBlocks) => numTokens > 2 * numBlocks },
      ),
      windows: fc.constantFrom<readonly number[]>([], [], [3], [5, 2]),
      policy: fc.constantFrom(...POLICIES),
      // A step of the fake backend takes a microsecond a token.
      targetItlMs: fc.constantFrom(undefined, 0.002),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(tinyRequest(bounds), { minLength: 1, maxLength: 7 }),
        fc.array(fc.nat({ max: 6 }), { maxLength: 7 }),
        shape,
        async (tiny, gaps, { extraTokens, spareBlocks, cache, targetItlMs, ...options }) => {
          const numGroups = 1 + options.windows.length;
          const needed = numGroups * Math.ceil((bounds.maxPrompt + bounds.maxTokens) / options.blockSize);
          const maxNumBatchedTokens = options.maxNumSeqs + extraTokens;
          const together = await run(
            tiny,
            {
              ...options,
              ...cache,
              ...(targetItlMs === undefined ? {} : { targetItlMs }),
              maxNumBatchedTokens,
              numBlocks: 1 + needed + spareBlocks,
            },
            gaps,
          );
          const alone = await runAlone(tiny);
          reached.chunkedPrefills += tiny.filter(({ prompt }) => prompt.length > maxNumBatchedTokens).length;
          reached.batched += options.maxNumSeqs > 1 && tiny.length > 1 ? 1 : 0;
          expect(together.map(essence)).toEqual(alone.map(essence));
        },
      ),
      fcParameters(150),
    );
  }, 120_000);

  it('in a pool so small that sequences must be preempted', async () => {
    const long = tinyRequest(bounds).map((each) => ({ ...each, ignoreEos: true, stopTokenIds: [], maxTokens: 10 }));
    const options = { maxNumSeqs: 6, maxNumBatchedTokens: 12, blockSize: 2, numBlocks: 1 + 12 };
    await fc.assert(
      fc.asyncProperty(
        fc.array(long, { minLength: 3, maxLength: 6 }),
        fc.constantFrom<1 | 2>(1, 2),
        async (tiny, maxInFlight) => {
          const together = await run(tiny, { ...options, maxInFlight });
          expect(together.map(essence)).toEqual((await runAlone(tiny)).map(essence));
        },
      ),
      fcParameters(50),
    );
  }, 60_000);

  it('in a second run over a warm cache, its host tier included', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(tinyRequest(bounds), { minLength: 1, maxLength: 4 }),
        fc.constantFrom<readonly number[]>([], [3]),
        fc.constantFrom<HarnessOptions>({}, { hostBlocks: 12 }, { hostBlocks: 100 }),
        async (tiny, windows, tier) => {
          const numBlocks = tier.hostBlocks === undefined ? 65 : 1 + 11 * (1 + windows.length);
          const options = { ...tier, windows, numBlocks, maxNumSeqs: 1, maxNumBatchedTokens: 7, blockSize: 2 };
          const twice = await run([...tiny, ...tiny], options);
          const cold = twice.slice(0, tiny.length).map(essence);
          expect(twice.slice(tiny.length).map(essence)).toEqual(cold);
        },
      ),
      fcParameters(100),
    );
  }, 60_000);
});
