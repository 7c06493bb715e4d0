import { createKvCacheManager } from '@kvasir/block-manager';
import type { SequenceId } from '@kvasir/interfaces';
import { fcParameters } from '@kvasir/testing';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createScheduler } from '../src/index.js';

/** Steps until `id` samples its first token; everyone samples when its row does, and nobody ends. */
function stepsToFirstToken(scheduler: ReturnType<typeof createScheduler>, id: SequenceId): number {
  for (let numSteps = 1; ; numSteps++) {
    const plan = scheduler.schedule()!;
    const isThere = plan.rows.some((row) => row.sequence === id && row.samples);
    scheduler.commit(
      plan,
      plan.rows.map(({ samples }) => ({ tokenIds: samples ? [1] : [], numAccepted: 0, ended: false })),
    );
    if (isThere) return numSteps;
  }
}

const make = (maxNumBatchedTokens: number, numLong: number) => {
  const scheduler = createScheduler({
    kvCache: createKvCacheManager({ numBlocks: 4_000, blockSize: 16, groups: [{ kind: 'full', bytesPerBlock: 1 }] }),
    maxNumSeqs: 16,
    maxNumBatchedTokens,
    maxModelLen: 8_000,
  });
  const add = (id: number, length: number, token: number) => {
    const promptTokenIds = new Int32Array(length).fill(token);
    const spec = { id: id as SequenceId, promptTokenIds, maxLength: length + 2_000, needsSync: false };
    scheduler.add({ ...spec, promptLogprobs: false });
    return spec.id;
  };
  for (let i = 0; i < numLong; i++) add(i + 1, 4_000, i + 1);
  return { scheduler, add };
};

it('a prompt of 50 tokens gets its first token in the next step, beside one of 4,000 in prefill', () => {
  const { scheduler, add } = make(512, 1);
  for (let i = 0; i < 3; i++) scheduler.commit(scheduler.schedule()!, [{ tokenIds: [], numAccepted: 0, ended: false }]);
  expect(stepsToFirstToken(scheduler, add(9, 50, 99))).toBe(1);
});

it('any short prompt gets its first token from half of each step, however many long ones came before', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 32, max: 600 }),
      fc.integer({ min: 1, max: 8 }),
      fc.integer({ min: 1, max: 200 }),
      fc.nat({ max: 5 }),
      (budget, numLong, length, numBefore) => {
        const { scheduler, add } = make(budget, numLong);
        for (let i = 0; i < numBefore; i++) {
          const plan = scheduler.schedule()!;
          scheduler.commit(
            plan,
            plan.rows.map(({ samples }) => ({ tokenIds: samples ? [1] : [], numAccepted: 0, ended: false })),
          );
        }
        const id = add(99, length, 99);
        // At most numLong streams decode meanwhile, a token each.
        const half = Math.floor((budget - numLong) / 2);
        expect(stepsToFirstToken(scheduler, id)).toBeLessThanOrEqual(Math.ceil(length / half) + 1);
      },
    ),
    fcParameters(60),
  );
});

it('a long prompt is done in twice the steps that it needs alone, however many short ones keep coming', () => {
  const { scheduler, add } = make(64, 0);
  const long = add(1, 1_000, 1);
  let nextId = 2;
  let numSteps = 0;
  for (let isDone = false; !isDone; numSteps++) {
    for (let i = 0; i < 3; i++) add(nextId++, 30, nextId % 90);
    const plan = scheduler.schedule()!;
    isDone = plan.rows.some((row) => row.sequence === long && row.samples);
    // Short ones end with their first token, so that slots are no matter.
    scheduler.commit(
      plan,
      plan.rows.map(({ samples, sequence }) => ({
        tokenIds: samples ? [1] : [],
        numAccepted: 0,
        ended: samples && sequence !== long,
      })),
    );
  }
  expect(numSteps).toBeLessThanOrEqual(2 * Math.ceil(1_000 / 64) + 1);
});
