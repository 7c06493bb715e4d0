import { createKvCacheManager } from '@kvasir/block-manager';
import { expect, it } from 'vitest';
import { Harness } from '../support/harness.js';

const make = (numBlocks: number, maxNumSeqs: number, maxInFlight: 1 | 2 = 1) =>
  new Harness({
    kvCache: createKvCacheManager({ numBlocks, blockSize: 2, groups: [{ kind: 'full', bytesPerBlock: 1 }] }),
    maxNumSeqs,
    maxNumBatchedTokens: 4,
    maxModelLen: 32,
    policy: 'priority',
    maxInFlight,
  });
const LONG = [1, 2, 1, 2, 1, 2, 1, 2, 1, 3, 1, 2, 1, 2, 1, 2];
const turn = (harness: Harness) => {
  if (!(harness.inFlight.length < (harness.options.maxInFlight ?? 1) && harness.step())) harness.commit();
};

it.each([1, 2] as const)('who waits with a smaller number takes the slot of one with a larger, %i in flight', (n) => {
  const harness = make(40, 1, n);
  const low = harness.add(LONG, 8, { priority: 5 });
  for (let i = 0; i < 6; i++) turn(harness);
  const high = harness.add([1, 2, 3], 2, { priority: 1 });
  for (let i = 0; i < 12; i++) turn(harness);
  expect(harness.seen.preempted).toBe(1);
  expect(harness.finished.has(high)).toBe(true);
  harness.drain();
  expect(harness.endedIn.get(low)).toBeGreaterThan(harness.endedIn.get(high)!);
});

it.each([1, 2] as const)('and its blocks, but not of an equal, %i in flight', (n) => {
  const harness = make(12, 3, n);
  harness.add(LONG, 4, { priority: 5 });
  for (let i = 0; i < 8; i++) turn(harness);
  const equal = harness.add([4, ...LONG.slice(1, 8)], 2, { priority: 5 });
  for (let i = 0; i < 2; i++) turn(harness);
  expect(harness.seen.preempted).toBe(0);
  const high = harness.add([5, ...LONG.slice(1, 8)], 2, { priority: 1 });
  harness.drain();
  expect(harness.seen.preempted).toBeGreaterThan(0);
  expect(harness.endedIn.get(high)).toBeLessThan(harness.endedIn.get(equal)!);
});

it('nobody is thrown out a third time before it has sampled', () => {
  const harness = make(40, 1);
  const low = harness.add(LONG, 8, { priority: 5 });
  let numThrown = 0;
  for (let round = 0; round < 6; round++) {
    harness.step();
    harness.commit();
    const high = harness.add([round + 1], 1, { priority: 1 });
    const before = harness.seen.preempted;
    while (!harness.finished.has(high)) {
      harness.step();
      harness.commit();
    }
    if (harness.histories.get(low)!.length === LONG.length) numThrown += harness.seen.preempted - before;
  }
  // The harness checks every preemption; this one says that it came to the point.
  expect(numThrown).toBe(2);
  expect(harness.histories.get(low)!.length).toBeGreaterThan(LONG.length);
  harness.drain();
});

it('nobody is thrown out where that would not let the other in', () => {
  const harness = make(12, 3);
  harness.add(LONG.slice(0, 12), 2, { priority: 0 });
  harness.add([7, 7], 6, { priority: 5 });
  for (let i = 0; i < 3; i++) turn(harness);
  harness.add([...LONG, 1, 2], 2, { priority: 1 });
  harness.step();
  expect(harness.seen.preempted).toBe(0);
  harness.commit();
  harness.drain();
});
