import type { KvCacheManager } from '@kvasir/interfaces';
import { describe, expect, it } from 'vitest';
import { createKvCacheManager, whenCheaperThanComputing } from '../src/index.js';
import { A, B, blocks, C, FULL, ids, run, visit, WINDOW_4 } from './support/sequences.js';

const tiered = (numBlocks: number, numHostBlocks: number, groups = [FULL]) =>
  createKvCacheManager({ numBlocks, blockSize: 2, groups, hostTier: { numBlocks: numHostBlocks } });

/** Fills the pool with other content, so that what is idle leaves. */
function flush(kv: KvCacheManager, tokenOf: number): void {
  const tokens = new Int32Array(2 * kv.numFreeBlocks).fill(tokenOf);
  run(kv, C, tokens);
  kv.close(C);
}

it('stores what is evicted, and loads it when a prefix matches', () => {
  const kv = tiered(4, 9);
  visit(kv, A, ids(1, 2, 3, 4, 5));
  kv.takeTransfers();
  flush(kv, 9);
  // The pool has three blocks: the partial one was used first, then the last of the chain left, then the first.
  const stores = kv.takeTransfers();
  expect(stores.map(({ op }) => op)).toEqual(['store', 'store']);
  expect(stores.map(({ src }) => src)).toEqual([2, 1]);

  expect(kv.open(B, ids(1, 2, 3, 4, 5))).toBe(4);
  const [first, second] = blocks(kv, B);
  const loads = kv.takeTransfers().filter(({ op }) => op === 'load');
  expect(loads).toMatchObject([
    { op: 'load', group: 0, src: stores[1]!.dst, dst: first },
    { op: 'load', group: 0, src: stores[0]!.dst, dst: second },
  ]);
  expect(kv.stats().hostTier).toMatchObject({ loadedBlocks: 2, hitTokens: 4 });
  expect(kv.stats()).toMatchObject({ prefixHitTokens: 4 });
});

it('stores content once, however often it is evicted', () => {
  const kv = tiered(3, 9);
  for (let i = 0; i < 3; i++) {
    visit(kv, A, ids(1, 2, 0));
    flush(kv, 8);
  }
  expect(kv.stats().hostTier).toMatchObject({ storedBlocks: 3, numCachedBlocks: 3, evictedBlocks: 0 });
});

it('loads as much as there is room for', () => {
  const kv = tiered(6, 20);
  visit(kv, A, ids(1, 2, 3, 4, 5, 6, 7, 8, 9));
  flush(kv, 0);
  kv.open(C, ids(0));
  kv.reserve(C, 6);
  expect(kv.numFreeBlocks).toBe(2);
  expect(kv.open(B, ids(1, 2, 3, 4, 5, 6, 7, 8, 9))).toBe(4);
  expect(kv.numFreeBlocks).toBe(0);
  kv.checkIntegrity();
});

it('does not evict a block of the prefix to load the rest of it', () => {
  const kv = tiered(6, 20);
  visit(kv, A, ids(1, 2, 3, 4, 5, 6, 7, 8, 0));
  // Three others: the second half of the chain leaves, the first half stays and is the oldest of the pool.
  visit(kv, C, ids(9, 9, 9, 9, 9, 9));
  expect(kv.open(B, ids(1, 2, 3, 4, 5, 6, 7, 8, 0))).toBe(8);
  expect(kv.stats().hostTier).toMatchObject({ loadedBlocks: 2, hitTokens: 4 });
  expect(new Set(blocks(kv, B)).size).toBe(4);
  kv.checkIntegrity();
});

it('loads of a window group what the next token sees', () => {
  const kv = tiered(12, 30, [FULL, WINDOW_4]);
  visit(kv, A, ids(1, 2, 3, 4, 5, 6, 7, 8, 9));
  for (let i = 0; i < 2; i++) visit(kv, C, new Int32Array(8).fill(20 + i));
  kv.takeTransfers();
  expect(kv.open(B, ids(1, 2, 3, 4, 5, 6, 7, 8, 9))).toBe(8);
  expect(blocks(kv, B, 1).map((block) => block > 0)).toEqual([false, false, true, true]);
  const loads = kv.takeTransfers().filter(({ op }) => op === 'load');
  expect(loads.filter(({ group }) => group === 1).length).toBeLessThanOrEqual(2);
});

describe('the cost model', () => {
  it('decides between copying and computing, as measured now', () => {
    const costs = { msPerToken: 1, msPerBlock: 3 };
    const isWorthLoading = whenCheaperThanComputing(() => costs);
    const kv = createKvCacheManager({
      numBlocks: 4,
      blockSize: 2,
      groups: [FULL],
      hostTier: { numBlocks: 9, isWorthLoading },
    });
    visit(kv, A, ids(1, 2, 3, 4, 5));
    flush(kv, 9);
    expect(kv.open(B, ids(1, 2, 3, 4, 5))).toBe(0);
    expect(kv.takeTransfers().every(({ op }) => op === 'store')).toBe(true);
    kv.close(B);
    costs.msPerBlock = 1;
    expect(kv.open(B, ids(1, 2, 3, 4, 5))).toBe(4);
  });
});

describe('a failed step', () => {
  it('takes back what it should have loaded, from everyone who holds it', () => {
    const kv = tiered(6, 9);
    visit(kv, A, ids(1, 2, 3, 4, 5));
    flush(kv, 9);
    kv.takeTransfers();
    kv.open(A, ids(1, 2, 3, 4, 5));
    kv.open(B, ids(1, 2, 6));
    const lost = kv.takeTransfers();
    expect(kv.abandonTransfers(lost)).toEqual([A, B]);
    expect(() => kv.fork(A, C, 2)).toThrow(expect.objectContaining({ code: 'ERR_SPOILT_SEQUENCE' }));
    kv.checkIntegrity();
    kv.close(A);
    kv.close(B);
    // The tier has it still: the load can be tried again.
    expect(kv.open(A, ids(1, 2, 3, 4, 5))).toBe(4);
  });

  it('takes back what it should have stored, and what was loaded from there by a later step', () => {
    const kv = tiered(6, 9);
    visit(kv, A, ids(1, 2, 3, 4, 5));
    flush(kv, 9);
    const lost = kv.takeTransfers();
    expect(kv.open(B, ids(1, 2, 3, 4, 5))).toBe(4);
    kv.takeTransfers();
    expect(kv.abandonTransfers(lost)).toEqual([B]);
    kv.close(B);
    expect(kv.open(B, ids(1, 2, 3, 4, 5))).toBe(0);
  });

  it('does not touch who got such a block for something else', () => {
    const kv = tiered(4, 9);
    visit(kv, A, ids(1, 2, 3, 4, 5));
    flush(kv, 9);
    kv.takeTransfers();
    // Opened, given up for lack of room, and the blocks go to another one before the step.
    expect(kv.open(A, ids(1, 2, 3, 4, 5))).toBe(4);
    kv.close(A);
    kv.open(B, ids(7));
    expect(kv.reserve(B, 6)).toBe(true);
    expect(kv.abandonTransfers(kv.takeTransfers())).toEqual([]);
    kv.checkIntegrity();
  });

  it('is given up once, by the array that was handed out', () => {
    const kv = tiered(4, 9);
    visit(kv, A, ids(1, 2, 3, 4, 5));
    flush(kv, 9);
    const lost = kv.takeTransfers();
    expect(() => kv.abandonTransfers([...lost])).toThrow(/that very array, once/);
    kv.abandonTransfers(lost);
    expect(() => kv.abandonTransfers(lost)).toThrow(/that very array, once/);
    expect(kv.abandonTransfers([])).toEqual([]);
  });
});
