import { seededRandom } from '@kvasir/testing';
import { afterAll, describe, expect, test } from 'vitest';
import {
  type Case,
  growingCases,
  randomCases,
  type Trace,
  traceAlone,
  traceTogether,
  withModel,
} from './invariance.js';

/** How much of the property runs. */
export interface InvarianceSettings {
  readonly model: 'smollm2' | 'gemma3';
  readonly dtype: 'auto' | 'float32';
  readonly numCases: number;
  readonly batchSizes: readonly number[];
  readonly chunkSizes: readonly number[];
  readonly seed: number;
  readonly timeoutMs: number;
}

/** The promise "tokens never change" on a real model: ids and log-probabilities, to the bit. */
export function invarianceSuite({
  model,
  dtype,
  numCases,
  batchSizes,
  chunkSizes,
  seed,
  timeoutMs,
}: InvarianceSettings): void {
  describe(`${model}, ${dtype}`, { timeout: timeoutMs }, () => {
    const random = seededRandom(seed);
    const growing = growingCases(4, random);
    const cases = [...randomCases(model, numCases, random), ...growing];
    const started = performance.now();
    let compared = 0;
    let alone: Promise<Trace[]> | undefined;
    const baseline = () => {
      alone ??= withModel(model, { dtype, maxNumSeqs: 1, numThreads: 2, enablePrefixCaching: false }, (llm) =>
        traceAlone(llm, cases),
      );
      return alone;
    };
    const expectSame = async (traces: readonly Trace[], which: readonly Case[] = cases) => {
      const expected = await baseline();
      for (const [i, each] of which.entries()) {
        expect(traces[i], `case ${cases.indexOf(each)}`).toEqual(expected[cases.indexOf(each)]);
        compared++;
      }
    };
    afterAll(() => {
      const seconds = ((performance.now() - started) / 1000).toFixed(1);
      process.stdout.write(
        `tokens never change, ${model} ${dtype}: ${compared} comparisons of ${cases.length} requests in ${seconds} s, seed ${seed}\n`,
      );
    });

    test('repeated alone', async () => {
      await expectSame(
        await withModel(model, { dtype, maxNumSeqs: 1, enablePrefixCaching: false }, (llm) => traceAlone(llm, cases)),
      );
    });

    test.each(batchSizes)('among %i others', async (numOthers) => {
      await withModel(model, { dtype, maxNumSeqs: 32, enablePrefixCaching: false }, async (llm) => {
        for (const each of cases)
          await expectSame(await traceTogether(llm, [each], randomCases(model, numOthers, random)), [each]);
      });
    });

    test('all at once', async () => {
      await expectSame(await withModel(model, { dtype, maxNumSeqs: 32 }, (llm) => traceTogether(llm, cases, [])));
    });

    test.each(chunkSizes)('in chunks of %i tokens', async (maxNumBatchedTokens) => {
      const options = { dtype, maxNumSeqs: 1, maxNumBatchedTokens, enablePrefixCaching: false };
      await expectSame(await withModel(model, options, (llm) => traceAlone(llm, cases)));
    });

    test('with one thread', async () => {
      await expectSame(
        await withModel(model, { dtype, numThreads: 1, maxNumSeqs: 32 }, (llm) => traceTogether(llm, cases, [])),
      );
    });

    test.each([32, 64])('with blocks of %i tokens', async (blockSize) => {
      await expectSame(
        await withModel(model, { dtype, blockSize, maxNumSeqs: 8 }, (llm) => traceTogether(llm, cases, [])),
      );
    });

    test('with two steps in flight', async () => {
      await expectSame(
        await withModel(model, { dtype, maxInFlight: 2, maxNumSeqs: 8 }, (llm) => traceTogether(llm, cases, [])),
      );
    });

    test('with a cold and a warm prefix cache', async () => {
      await withModel(model, { dtype, maxNumSeqs: 4 }, async (llm) => {
        await expectSame(await traceAlone(llm, cases));
        const cold = llm.engine.stats().prefixHitTokens;
        await expectSame(await traceAlone(llm, cases));
        expect(llm.engine.stats().prefixHitTokens).toBeGreaterThan(cold);
      });
    });

    test('after preemption in a pool that is too small', async () => {
      // Four sequences of two blocks a group grow to four or five each.
      const numGroups = model === 'gemma3' ? 6 : 1;
      const bytesPerBlock = await withModel(model, { dtype, maxNumSeqs: 1 }, (llm) =>
        Promise.resolve(llm.memory.kvCacheBytes / (llm.engine.stats().numBlocks + 1)),
      );
      const kvCacheMemoryBytes = Math.ceil(bytesPerBlock * (1 + 11 * numGroups));
      await withModel(model, { dtype, maxModelLen: 80, maxNumSeqs: 4, kvCacheMemoryBytes }, async (llm) => {
        await expectSame(await traceTogether(llm, growing, []), growing);
        expect(llm.engine.stats().numPreemptions).toBeGreaterThan(0);
        llm.engine.checkIntegrity();
      });
    });
  });
}
