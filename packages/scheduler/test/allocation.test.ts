import { createKvCacheManager } from '@kvasir/block-manager';
import type { SequenceId } from '@kvasir/interfaces';
import { countAllocations } from '@kvasir/testing';
import { expect, it } from 'vitest';
import { createScheduler } from '../src/index.js';

const NUM_WARM = 2_000;
const NUM_STEPS = 10_000;
const LENGTH = NUM_WARM + NUM_STEPS + 8;
const TOKEN = { tokenIds: [7], numAccepted: 0, ended: false };

/** Bytes that 10,000 decode steps put on the heap, under the policy and options that do most. */
function bytesOf(numRunning: number): number {
  const scheduler = createScheduler({
    kvCache: createKvCacheManager({
      numBlocks: 1 + numRunning * Math.ceil(LENGTH / 16),
      blockSize: 16,
      groups: [{ kind: 'full', bytesPerBlock: 1 }],
      enablePrefixCaching: false,
    }),
    maxNumSeqs: numRunning,
    maxNumBatchedTokens: 256,
    maxModelLen: LENGTH,
    policy: 'fair',
    targetItlMs: 50,
  });
  for (let id = 1; id <= numRunning; id++) {
    const promptTokenIds = new Int32Array(4).fill(id);
    const spec = { id: id as SequenceId, promptTokenIds, maxLength: LENGTH, promptLogprobs: false, needsSync: false };
    scheduler.add({ ...spec, tenant: String(id % 3) });
  }
  const outcomes = Array.from({ length: numRunning }, () => TOKEN);
  const run = (numSteps: number) => {
    for (let i = 0; i < numSteps; i++) {
      const plan = scheduler.schedule()!;
      if (plan.rows.length !== numRunning) throw new Error('a row is missing');
      scheduler.commit(plan, outcomes, 5);
    }
  };
  run(NUM_WARM);
  return [...countAllocations(() => run(NUM_STEPS)).values()].reduce((sum, size) => sum + size, 0);
}

it('allocates nothing a token: over 10,000 steps 64 sequences put no more on the heap than 8', () => {
  const [few, many] = [bytesOf(8), bytesOf(64)];
  // The smallest thing that there is, a number, takes 12 bytes; what is left is tables that grow.
  expect((many - few) / ((64 - 8) * NUM_STEPS)).toBeLessThan(4);
  // And a step costs little: numbers that leave a function.
  expect(few / NUM_STEPS).toBeLessThan(2_048);
});
