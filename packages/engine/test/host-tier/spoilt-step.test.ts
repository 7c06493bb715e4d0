import { EMPTY_PREFIX, extendPrefix, fakeLogits } from '@kvasir/testing';
import { expect, it } from 'vitest';
import { collect, join, request, startEngine } from '../support/harness.js';

const SHARED = [2, 3, 4, 5, 6, 7, 8, 9];
const VOCAB_SIZE = 16;

/** What the fake model says, by its definition. */
function greedyRun(promptTokenIds: readonly number[], numTokens: number): number[] {
  const tokens = [...promptTokenIds];
  for (let i = 0; i < numTokens; i++) {
    const logits = fakeLogits(tokens.reduce(extendPrefix, EMPTY_PREFIX), VOCAB_SIZE);
    tokens.push(logits.indexOf(Math.max(...logits)));
  }
  return tokens.slice(promptTokenIds.length);
}

it('a failed step takes those along who are in the next one already and begin with what it should have loaded', async () => {
  let doomed = -1;
  const { engine, kvCache } = await startEngine({
    vocabSize: VOCAB_SIZE,
    maxInFlight: 2,
    numBlocks: 21,
    hostBlocks: 65,
    isWorthLoading: () => true,
    fails: (stepId) => stepId === doomed,
  });
  const sampling = { maxTokens: 4, ignoreEos: true };
  await collect(engine.submit(request([...SHARED, 1], sampling)));
  for (let i = 0; i < 6; i++) {
    await collect(
      engine.submit(
        request(
          Array.from({ length: 40 }, (_, j) => (i * 5 + j * 3) % 16),
          sampling,
        ),
      ),
    );
  }
  const { loadedBlocks } = kvCache.stats().hostTier!;

  doomed = engine.stats().numSteps + 1;
  // Ends with its first token, so it is in one step only.
  const first = engine.submit(request([...SHARED, 10], { maxTokens: 1, ignoreEos: true }));
  await Promise.resolve();
  expect(kvCache.stats().hostTier!.loadedBlocks).toBe(loadedBlocks + 2);
  const long = [...SHARED, ...Array.from({ length: 30 }, (_, i) => (i * 7) % 16)];
  const second = engine.submit(request(long, sampling));
  const bystander = engine.submit(request([11, 12], sampling));
  const results = await Promise.allSettled([collect(first), collect(second), join(bystander)]);
  const failure = { status: 'rejected', reason: { code: 'ERR_STEP_FAILED' } };
  expect(results).toMatchObject([failure, failure, { status: 'fulfilled' }]);
  expect((results[0] as PromiseRejectedResult).reason.message).toContain(`step ${doomed}`);
  expect((results[1] as PromiseRejectedResult).reason.message).toContain(`step ${doomed}`);
  expect((results[2] as PromiseFulfilledResult<{ tokenIds: number[] }>).value.tokenIds).toEqual(greedyRun([11, 12], 4));
  engine.checkIntegrity();
  expect(engine.stats()).toMatchObject({ numFailedSteps: 1, numRunning: 0, numFreeBlocks: kvCache.numBlocks });

  // The tier has the prefix still, and nothing of it was published from the step that failed.
  const again = await join(engine.submit(request([...SHARED, 10], sampling)));
  expect(again.last.usage.cachedTokens).toBe(8);
  expect(again.tokenIds).toEqual(greedyRun([...SHARED, 10], 4));
  await engine.close();
  engine.checkIntegrity();
});
