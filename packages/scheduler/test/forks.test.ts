import { createKvCacheManager } from '@kvasir/block-manager';
import type { SequenceId } from '@kvasir/interfaces';
import { beforeEach, describe, expect, it } from 'vitest';
import { Harness } from './support/harness.js';

/** The pseudo model does not end for a while after it. */
const PROMPT = [1, 2, 1, 2, 1, 2, 1, 2, 1, 3];

let harness: Harness;
const make = (numBlocks: number, maxNumSeqs = 4) => {
  harness = new Harness({
    kvCache: createKvCacheManager({
      numBlocks,
      blockSize: 4,
      groups: [{ kind: 'full', bytesPerBlock: 1 }],
      enablePrefixCaching: false,
    }),
    maxNumSeqs,
    maxNumBatchedTokens: 8,
    maxModelLen: 40,
  });
};
/** `sequence:start+numQuery` of the next plan. */
const step = () => {
  harness.step();
  const rows = harness.inFlight[0]!.plan.rows.map((row) => `${row.sequence}:${row.start}+${row.numQuery}`);
  harness.commit();
  return rows.join(' ');
};
const waiting = () => harness.scheduler.stats().waitingByReason;

beforeEach(() => make(20));

describe('forks', () => {
  it('wait for the prompt of their parent, and compute one token of it themselves', () => {
    const parent = harness.add(PROMPT, 3);
    for (let i = 0; i < 2; i++) harness.add(PROMPT, 3, { forkOf: parent });
    expect(waiting()).toEqual({ capacity: 1, fork: 2 });
    expect(step()).toBe('1:0+8');
    expect(step()).toBe('1:8+2');
    expect(waiting()).toEqual({ capacity: 2, fork: 0 });
    expect(step()).toBe('1:10+1 2:9+1 3:9+1');
    harness.drain();
  });

  it('keep the blocks of a parent that ends before they got a slot', () => {
    make(20, 1);
    const parent = harness.add(PROMPT, 1);
    harness.add(PROMPT, 1, { forkOf: parent });
    harness.add(PROMPT, 1, { forkOf: parent });
    step();
    step();
    expect(harness.finished.has(parent)).toBe(true);
    expect(harness.scheduler.stats()).toMatchObject({ numParked: 1, numWaiting: 2 });
    expect(step()).toBe('2:9+1');
    expect(step()).toBe('3:9+1');
    expect(harness.scheduler.stats().numParked).toBe(0);
    harness.drain();
  });

  it('start like any other when the parent leaves before its prompt is computed', () => {
    const parent = harness.add(PROMPT, 3);
    harness.add(PROMPT, 1, { forkOf: parent });
    step();
    harness.abort(parent);
    expect(waiting()).toEqual({ capacity: 1, fork: 0 });
    expect(step()).toBe('2:0+8');
    harness.drain();
  });

  it('of nobody are like any other', () => {
    harness.add(PROMPT, 1, { forkOf: 99 as SequenceId });
    expect(step()).toBe('1:0+8');
    harness.drain();
  });

  it.each([
    ['another prompt', [1, 1, 1, 2], {}],
    ['tokens that the parent does not have', [...PROMPT, 1, 1], {}],
    ['another salt', PROMPT, { salt: 'other' }],
  ])('with %s are refused, and nothing changes', (_, prompt, options) => {
    const forkOf = harness.add(PROMPT, 3);
    const refused = expect.objectContaining({ code: 'ERR_INVALID_ARGUMENT', parameter: 'forkOf' });
    expect(() => harness.add(prompt, 3, { ...options, forkOf })).toThrow(refused);
    expect(harness.scheduler.numUnfinished).toBe(1);
    harness.drain();
  });
});

describe('a parked sequence', () => {
  it('keeps its blocks, not its slot, for forks until it is unparked', () => {
    make(20, 1);
    const parked = harness.add(PROMPT, 1, { parks: true });
    step();
    step();
    expect(harness.scheduler.numUnfinished).toBe(0);
    expect(harness.scheduler.stats().numParked).toBe(1);
    expect(harness.kvCache.numFreeBlocks).toBe(19 - 3);
    const tokens = harness.histories.get(parked)!;
    harness.add([...tokens.slice(0, 10), 5], 1, { forkOf: parked });
    expect(step()).toBe('2:10+1');
    harness.unpark(parked);
    expect(harness.kvCache.numFreeBlocks).toBe(19);
    expect(harness.scheduler.unpark(parked)).toBe(false);
    harness.drain();
  });

  it('unparked while a fork is queued leaves once that one was admitted', () => {
    const parked = harness.add(PROMPT, 1, { parks: true });
    step();
    step();
    harness.add(PROMPT, 3, { forkOf: parked });
    harness.unpark(parked);
    expect(harness.scheduler.stats().numParked).toBe(1);
    expect(step()).toBe('2:9+1');
    expect(harness.scheduler.stats().numParked).toBe(0);
    harness.drain();
  });

  it('gives way before anyone is preempted, and its forks start like any other then', () => {
    make(7);
    const parked = harness.add(PROMPT, 1, { parks: true });
    step();
    step();
    harness.add([3, 3, 3, 3, 3, 3, 3, 3], 14);
    for (let i = 0; i < 6; i++) step();
    expect(harness.scheduler.stats()).toMatchObject({ numParked: 0, numPreemptions: 0 });
    harness.add(PROMPT, 1, { forkOf: parked });
    harness.drain();
  });

  it('is given up for its own fork where both do not fit, in one go', () => {
    harness = new Harness({
      kvCache: createKvCacheManager({
        numBlocks: 5,
        blockSize: 3,
        groups: [
          { kind: 'full', bytesPerBlock: 1 },
          { kind: 'window', window: 2, bytesPerBlock: 1 },
        ],
      }),
      maxNumSeqs: 1,
      maxNumBatchedTokens: 1,
      maxModelLen: 24,
    });
    const prompt = [1, 1, 1, 1, 1, 1];
    const parked = harness.add(prompt, 1, { parks: true });
    for (let i = 0; i < prompt.length; i++) step();
    expect(harness.scheduler.stats().numParked).toBe(1);
    harness.add([...harness.histories.get(parked)!.slice(0, 5), 1], 1, { forkOf: parked });
    // The fork would hold all blocks that it shares; opened by itself it leaves those behind its window.
    expect(step()).toMatch(/^2:/);
    expect(harness.scheduler.stats().numParked).toBe(0);
    harness.drain();
  });

  it('that is unparked before it ends is not parked', () => {
    const id = harness.add(PROMPT, 1, { parks: true });
    expect(harness.scheduler.unpark(id)).toBe(true);
    step();
    step();
    expect(harness.scheduler.stats().numParked).toBe(0);
    harness.parked.delete(id);
    harness.drain();
  });
});
