import { createKvCacheManager } from '@kvasir/block-manager';
import type { Scheduler, SequenceId, StepPlan } from '@kvasir/interfaces';
import { describe, expect, it } from 'vitest';
import { createScheduler } from '../src/index.js';

const timeOf = ({ rows, numTokens }: StepPlan) =>
  2 + 0.1 * numTokens + 2e-5 * rows.reduce((sum, row) => sum + row.numQuery * (row.start + (row.numQuery + 1) / 2), 0);
/** @returns What the step took, in the time of the plan. */
function step(scheduler: Scheduler, isTimed = true): { ms: number; plan: { numTokens: number; budget: number } } {
  const plan = scheduler.schedule()!;
  const ms = timeOf(plan);
  const seen = { numTokens: plan.numTokens, budget: scheduler.stats().tokenBudget };
  const outcomes = plan.rows.map(({ samples }) => ({ tokenIds: samples ? [1] : [], numAccepted: 0, ended: false }));
  scheduler.commit(plan, outcomes, isTimed ? ms : undefined);
  return { ms, plan: seen };
}
function make(targetItlMs?: number) {
  const scheduler = createScheduler({
    kvCache: createKvCacheManager({ numBlocks: 4_000, blockSize: 16, groups: [{ kind: 'full', bytesPerBlock: 1 }] }),
    maxNumSeqs: 8,
    maxNumBatchedTokens: 512,
    maxModelLen: 8_000,
    ...(targetItlMs === undefined ? {} : { targetItlMs }),
  });
  let nextId = 1;
  const add = (length: number) => {
    const id = nextId++ as SequenceId;
    const promptTokenIds = Int32Array.from({ length }, (_, i) => id * 7 + i);
    scheduler.add({ id, promptTokenIds, maxLength: length + 3_000, promptLogprobs: false, needsSync: false });
    return id;
  };
  return { scheduler, add };
}
/** Enough steps, of all sizes, to learn from. */
function learn({ scheduler, add }: ReturnType<typeof make>, isTimed = true): void {
  add(300);
  for (let i = 0; i < 50; i++) {
    if (i % 12 === 5) add(200);
    step(scheduler, isTimed);
  }
}

describe('a target for the time between tokens', () => {
  it('cuts prompts so that steps keep within it while somebody decodes', () => {
    const setup = make(12);
    learn(setup);
    setup.add(2_000);
    const slow = [];
    for (let i = 0; i < 40; i++) slow.push(step(setup.scheduler).ms);
    expect(Math.max(...slow)).toBeLessThanOrEqual(12 * 1.02);
    // And uses what there is: nearly all of the time while the prompt lasts.
    expect(slow[0]).toBeGreaterThan(12 * 0.9);
  });

  it('is not there without the option: the fixed budget is used', () => {
    const setup = make();
    learn(setup);
    setup.add(2_000);
    expect(step(setup.scheduler).plan.numTokens).toBe(512);
  });

  it('does not count before enough steps were timed', () => {
    const setup = make(12);
    learn(setup, false);
    setup.add(2_000);
    expect(step(setup.scheduler).plan).toEqual({ numTokens: 512, budget: 512 });
  });

  it('reduces nothing where nobody decodes', () => {
    const setup = make(12);
    learn(setup);
    for (let id = 1; id <= 6; id++) setup.scheduler.abort(id as SequenceId);
    expect(setup.scheduler.numUnfinished).toBe(0);
    setup.add(2_000);
    expect(step(setup.scheduler).plan).toEqual({ numTokens: 512, budget: 512 });
  });

  it('leaves prompts a few tokens a step, however slow the steps are', () => {
    const setup = make(0.5);
    learn(setup);
    setup.add(100);
    const { plan } = step(setup.scheduler);
    // Four decode; the fifth is in the middle of its prompt too.
    expect(plan.numTokens).toBe(4 + 16);
  });
});
