import type { RowOutcome, Scheduler, SequenceId, SequenceSpec, StepPlan } from '@kvasir/interfaces';
import { beforeEach, describe, expect, it } from 'vitest';
import { createScheduler, type SchedulerOptions } from '../src/index.js';
import { FakeKvCache } from './support/fake-kv-cache.js';

const [A, B, C] = [1, 2, 3] as [SequenceId, SequenceId, SequenceId];

let kvCache: FakeKvCache;
const make = (options: Partial<SchedulerOptions> = {}) =>
  createScheduler({ kvCache, maxNumSeqs: 4, maxNumBatchedTokens: 8, maxModelLen: 100, ...options });
const spec = (id: SequenceId, promptLength: number, more: Partial<SequenceSpec> = {}): SequenceSpec => ({
  id,
  promptTokenIds: new Int32Array(promptLength).fill(7),
  maxLength: promptLength + 10,
  promptLogprobs: false,
  needsSync: false,
  ...more,
});
/** `sequence:start+numQuery`, with `!` where a token is sampled. */
const shape = (plan: StepPlan | null) =>
  plan?.rows.map((row) => `${row.sequence}:${row.start}+${row.numQuery}${row.samples ? '!' : ''}`).join(' ');
const outcome = (tokenIds: number[] = [], more: Partial<RowOutcome> = {}): RowOutcome => ({
  tokenIds,
  numAccepted: 0,
  ended: false,
  ...more,
});
const step = (scheduler: Scheduler) => {
  const plan = scheduler.schedule()!;
  const text = shape(plan);
  scheduler.commit(
    plan,
    plan.rows.map((row) => outcome(row.samples ? [5] : [])),
  );
  return text;
};

beforeEach(() => {
  kvCache = new FakeKvCache(1000);
});

describe('a step', () => {
  it('takes a prompt in, then one token at a time', () => {
    const scheduler = make();
    expect(scheduler.schedule()).toBe(null);
    scheduler.add(spec(A, 5));
    const plan = scheduler.schedule()!;
    expect(plan).toMatchObject({ stepId: 1, numTokens: 5, numOutputs: 1, releasedSlots: [], preempted: [] });
    expect(plan.rows[0]).toMatchObject({ sequence: A, slot: 0, starts: true, start: 0, numQuery: 5, samples: true });
    scheduler.commit(plan, [outcome([5])]);
    expect(scheduler.schedule()!.rows[0]).toMatchObject({ starts: false, start: 5, numQuery: 1, samples: true });
  });

  it('cuts long prompts into chunks, and never lets them stall who is decoding', () => {
    const scheduler = make();
    scheduler.add(spec(A, 2));
    expect(step(scheduler)).toBe('1:0+2!');
    scheduler.add(spec(B, 10));
    expect(step(scheduler)).toBe('1:2+1! 2:0+7');
    expect(step(scheduler)).toBe('1:3+1! 2:7+3!');
    expect(step(scheduler)).toBe('1:4+1! 2:10+1!');
  });

  it('lets several prompts share it', () => {
    const scheduler = make({ longPrefillTokenThreshold: 3 });
    for (const id of [A, B, C]) scheduler.add(spec(id, 4));
    expect(step(scheduler)).toBe('1:0+3 2:0+3 3:0+2');
    expect(step(scheduler)).toBe('1:3+1! 2:3+1! 3:2+2!');
  });

  it('keeps to its outputs: a prompt whose positions are scored is cut by them', () => {
    const scheduler = make({ maxNumOutputs: 4 });
    scheduler.add(spec(A, 6, { promptLogprobs: true }));
    const plan = scheduler.schedule()!;
    expect([shape(plan), plan.numOutputs]).toEqual(['1:0+4', 4]);
    scheduler.commit(plan, [outcome()]);
    expect(shape(scheduler.schedule())).toBe('1:4+2!');
  });

  it('computes what a row left: the sample itself comes with the next row', () => {
    const scheduler = make();
    scheduler.add(spec(A, 3));
    step(scheduler);
    step(scheduler);
    expect(kvCache.calls).toEqual(['open 1', 'commit 1 3', 'commit 1 4']);
  });
});

describe('an end', () => {
  it('comes when the backend says so, or at maxLength; blocks and slot are free at once', () => {
    const scheduler = make();
    scheduler.add(spec(A, 2));
    scheduler.add(spec(B, 2, { maxLength: 3 }));
    const plan = scheduler.schedule()!;
    scheduler.commit(plan, [outcome([0], { ended: true }), outcome([5])]);
    expect(scheduler.numUnfinished).toBe(0);
    expect(kvCache.numFreeBlocks).toBe(1000);
    scheduler.add(spec(C, 2));
    const next = scheduler.schedule()!;
    expect([...next.releasedSlots].sort()).toEqual([0, 1]);
    expect(next.releasedSlots).toContain(next.rows[0]!.slot);
  });

  it('by abort waits for the step that holds the blocks', () => {
    const scheduler = make();
    scheduler.add(spec(A, 2));
    scheduler.add(spec(B, 2));
    const plan = scheduler.schedule()!;
    expect(scheduler.abort(A)).toBe(true);
    expect(scheduler.abort(A)).toBe(false);
    expect(kvCache.calls).not.toContain('close 1');
    scheduler.commit(plan, [outcome([5]), outcome([5])]);
    expect(kvCache.calls).toContain('close 1');
    expect(shape(scheduler.schedule())).toBe('2:2+1!');
  });

  it('by a failed step ends all of its sequences and no others', () => {
    const scheduler = make({ maxNumSeqs: 2 });
    for (const id of [A, B, C]) scheduler.add(spec(id, 2));
    expect(scheduler.discard(scheduler.schedule()!)).toEqual([A, B]);
    expect(scheduler.numUnfinished).toBe(1);
    expect(kvCache.numFreeBlocks).toBe(1000);
    expect(shape(scheduler.schedule())).toBe('3:0+2!');
  });
});

describe('two steps in flight', () => {
  it('plan the next token before the last one is known', () => {
    const scheduler = make({ maxInFlight: 2 });
    scheduler.add(spec(A, 2));
    const first = scheduler.schedule()!;
    const second = scheduler.schedule()!;
    expect([shape(first), shape(second)]).toEqual(['1:0+2!', '1:2+1!']);
    expect(scheduler.schedule()).toBe(null);
    scheduler.commit(first, [outcome([5])]);
    expect(shape(scheduler.schedule())).toBe('1:3+1!');
  });

  it('take a row of a sequence that ended for nothing, and free it then', () => {
    const scheduler = make({ maxInFlight: 2 });
    scheduler.add(spec(A, 2));
    const first = scheduler.schedule()!;
    const second = scheduler.schedule()!;
    scheduler.commit(first, [outcome([0], { ended: true })]);
    expect(scheduler.numUnfinished).toBe(0);
    expect(kvCache.calls).not.toContain('close 1');
    scheduler.commit(second, [outcome()]);
    expect(kvCache.calls).toContain('close 1');
  });

  it('do not plan past a certain end, nor ahead of a sample that is needed', () => {
    const scheduler = make({ maxInFlight: 2 });
    scheduler.add(spec(A, 2, { maxLength: 3 }));
    scheduler.add(spec(B, 2, { needsSync: true }));
    expect(shape(scheduler.schedule())).toBe('1:0+2! 2:0+2!');
    expect(scheduler.schedule()).toBe(null);
  });

  it('do plan the next chunk of a prompt', () => {
    const scheduler = make({ maxInFlight: 2 });
    scheduler.add(spec(A, 12, { needsSync: true }));
    expect(shape(scheduler.schedule())).toBe('1:0+8');
    expect(shape(scheduler.schedule())).toBe('1:8+4!');
  });
});

describe('drafts', () => {
  it('ride on the next row and move the sequence on by what was accepted', () => {
    const scheduler = make();
    scheduler.add(spec(A, 2));
    step(scheduler);
    scheduler.offerDrafts(A, [1, 2, 3]);
    const plan = scheduler.schedule()!;
    expect(plan.rows[0]).toMatchObject({ start: 2, numQuery: 4, drafts: [1, 2, 3], samples: true });
    expect(plan.numOutputs).toBe(4);
    scheduler.commit(plan, [outcome([1, 9], { numAccepted: 1 })]);
    expect(shape(scheduler.schedule())).toBe('1:4+1!');
    expect(kvCache.calls.at(-1)).toBe('commit 1 4');
  });

  it('are cut to the budget and to maxLength, and dropped when the position has moved', () => {
    const scheduler = make({ maxNumBatchedTokens: 4 });
    scheduler.add(spec(A, 2));
    step(scheduler);
    scheduler.offerDrafts(A, [1, 2, 3, 4, 5]);
    let plan = scheduler.schedule()!;
    expect(plan.rows[0]!.drafts).toEqual([1, 2, 3]);
    scheduler.offerDrafts(A, [4]);
    scheduler.commit(plan, [outcome([8])]);
    plan = scheduler.schedule()!;
    expect(plan.rows[0]!.drafts).toEqual([]);
    scheduler.offerDrafts(B, [1]);
  });
});

describe('drafts in flight', () => {
  it('hold back the next row, whose place they decide, until they are taken in', () => {
    const scheduler = make({ maxInFlight: 2 });
    scheduler.add(spec(A, 2));
    scheduler.add(spec(B, 2));
    step(scheduler);
    scheduler.offerDrafts(A, [1, 2]);
    const first = scheduler.schedule()!;
    expect(shape(first)).toBe('1:2+3! 2:2+1!');
    // B goes on ahead of its sample. A cannot: whether it goes on at 3, 4 or 5 is not known.
    const second = scheduler.schedule()!;
    expect(shape(second)).toBe('2:3+1!');
    scheduler.commit(first, [outcome([1, 9], { numAccepted: 1 }), outcome([5])]);
    expect(shape(scheduler.schedule())).toBe('1:4+1! 2:4+1!');
  });
});

describe('too few blocks', () => {
  it('preempt who has least to compute again, and bring it back with its tokens', () => {
    kvCache = new FakeKvCache(15);
    const scheduler = make();
    scheduler.add(spec(A, 4, { maxLength: 13 }));
    scheduler.add(spec(B, 2, { maxLength: 10 }));
    scheduler.add(spec(C, 4, { maxLength: 10 }));
    expect(step(scheduler)).toBe('1:0+4! 2:0+2! 3:0+2');
    expect(step(scheduler)).toBe('1:4+1! 2:2+1! 3:2+2!');
    expect(step(scheduler)).toBe('1:5+1! 2:3+1! 3:4+1!');
    const plan = scheduler.schedule()!;
    expect(shape(plan)).toBe('1:6+1! 3:5+1!');
    expect(plan.preempted).toEqual([B]);
    expect(plan.releasedSlots).toEqual([1]);
    scheduler.commit(plan, [outcome([5], { ended: true }), outcome([5], { ended: true })]);
    const back = scheduler.schedule()!;
    expect(back.rows[0]).toMatchObject({ sequence: B, starts: true, start: 0, numQuery: 5, samples: true });
    expect(scheduler.stats().numPreemptions).toBe(1);
  });

  it('hold the next one back until its whole prompt fits', () => {
    kvCache = new FakeKvCache(12);
    const scheduler = make();
    scheduler.add(spec(A, 6, { maxLength: 8 }));
    scheduler.add(spec(B, 8, { maxLength: 9 }));
    expect(step(scheduler)).toBe('1:0+6!');
    expect(step(scheduler)).toBe('1:6+1!');
    expect(step(scheduler)).toBe('2:0+8!');
  });
});

describe('mistakes', () => {
  it.each([
    ['maxNumSeqs', { maxNumSeqs: 0 }],
    ['maxNumBatchedTokens', { maxNumBatchedTokens: 3 }],
    ['maxNumOutputs', { maxNumOutputs: 3 }],
    ['maxModelLen', { maxModelLen: 1 }],
    ['maxInFlight', { maxInFlight: 3 }],
    ['longPrefillTokenThreshold', { longPrefillTokenThreshold: 0 }],
    ['policy', { policy: 'lifo' }],
    ['maxNumSequences', { maxNumSequences: 4 }],
  ])('in the option %s are named', (parameter, options) => {
    expect(() => make(options as never)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARGUMENT', parameter }));
  });

  it('in a sequence are refused before anything changes', () => {
    kvCache = new FakeKvCache(20);
    const scheduler = make();
    scheduler.add(spec(A, 2));
    const code = (name: string) => expect.objectContaining({ code: name });
    expect(() => scheduler.add(spec(A, 2))).toThrow(code('ERR_DUPLICATE_SEQUENCE'));
    expect(() => scheduler.add(spec(B, 2, { maxLength: 101 }))).toThrow(code('ERR_SEQUENCE_TOO_LONG'));
    expect(() => scheduler.add(spec(B, 12, { maxLength: 22 }))).toThrow(code('ERR_SEQUENCE_TOO_LONG'));
    expect(() => scheduler.add(spec(B, 2, { maxLength: 2 }))).toThrow(code('ERR_INVALID_ARGUMENT'));
    expect(() => scheduler.add(spec(B, 0))).toThrow(code('ERR_INVALID_ARGUMENT'));
    expect(() => scheduler.add(spec(0 as SequenceId, 1))).toThrow(code('ERR_INVALID_ARGUMENT'));
    expect(scheduler.numUnfinished).toBe(1);
    scheduler.add(spec(B, 12, { maxLength: 21 }));
  });

  it('in a commit leave the plan as it is', () => {
    const scheduler = make();
    scheduler.add(spec(A, 2));
    const plan = scheduler.schedule()!;
    const wrong: [RowOutcome[], RegExp][] = [
      [[], /0 outcomes for the 1 rows of step 1/],
      [[outcome()], /brought 0 tokens: expected 1 to 1/],
      [[outcome([1, 2])], /brought 2 tokens: expected 1 to 1/],
      [[outcome([1, 2], { numAccepted: 1 })], /accepted 1 drafts: expected 0 to 0/],
    ];
    for (const [outcomes, message] of wrong) expect(() => scheduler.commit(plan, outcomes)).toThrow(message);
    scheduler.commit(plan, [outcome([5])]);
    expect(() => scheduler.commit(plan, [outcome([5])])).toThrow(/expected none, every plan is committed/);
    scheduler.checkIntegrity();
  });

  it('of others that hold all blocks are reported, not waited for', () => {
    kvCache = new FakeKvCache(20);
    const scheduler = make();
    kvCache.open(9 as SequenceId);
    kvCache.reserve(9 as SequenceId, 20);
    scheduler.add(spec(A, 2));
    expect(() => scheduler.schedule()).toThrow(/nothing can run although nothing is in flight/);
  });
});
