import { KvasirError, type SequenceId } from '@kvasir/interfaces';
import { describe, expect, it } from 'vitest';
import { createKvCacheManager } from '../src/index.js';
import { A, B, blocks, C, FULL, ids, run, WINDOW_4 } from './support/sequences.js';

const pool = (numBlocks: number, blockSize = 2, groups = [FULL]) =>
  createKvCacheManager({ numBlocks, blockSize, groups });

describe('one sequence', () => {
  it('gets blocks as its tokens need them, never the null block', () => {
    const kv = pool(5);
    expect(kv.numBlocks).toBe(4);
    expect(kv.open(A, ids(7, 8, 9))).toBe(0);
    expect(kv.reserve(A, 3)).toBe(true);
    expect(blocks(kv, A)).toEqual([1, 2]);
    expect(kv.reserve(A, 4)).toBe(true);
    expect(blocks(kv, A)).toEqual([1, 2]);
    expect(kv.reserve(A, 5)).toBe(true);
    expect(blocks(kv, A)).toEqual([1, 2, 3]);
    kv.close(A);
    expect(kv.numFreeBlocks).toBe(4);
  });

  it('is refused as a whole when the pool is too small', () => {
    const kv = pool(3, 2, [FULL, WINDOW_4]);
    kv.open(A, ids(1));
    expect(kv.reserve(A, 3)).toBe(false);
    expect(blocks(kv, A)).toEqual([]);
    expect(kv.numFreeBlocks).toBe(2);
    expect(kv.reserve(A, 2)).toBe(true);
  });

  it('tells which table entries are new since they were sent', () => {
    const kv = pool(6);
    kv.open(A, ids(1, 2, 3));
    kv.reserve(A, 3);
    expect(kv.table(A, 0).dirtyFrom).toBe(0);
    kv.markSent(A);
    expect(kv.table(A, 0).dirtyFrom).toBe(2);
    kv.reserve(A, 5);
    expect(kv.table(A, 0).dirtyFrom).toBe(2);
    expect(kv.table(A, 0).length).toBe(3);
  });

  it('knows what could ever fit', () => {
    expect(pool(5).fits(8)).toBe(true);
    expect(pool(5).fits(9)).toBe(false);
    // 10 tokens: 5 full blocks, and at most 3 of the window's.
    expect(pool(9, 2, [FULL, WINDOW_4]).fits(10)).toBe(true);
    expect(pool(8, 2, [FULL, WINDOW_4]).fits(10)).toBe(false);
  });
});

describe('prefix reuse', () => {
  it('finds full blocks of committed tokens, and leaves one token to compute', () => {
    const kv = pool(9);
    run(kv, A, ids(1, 2, 3, 4, 5));
    expect(kv.open(B, ids(1, 2, 3, 4))).toBe(2);
    expect(kv.open(C, ids(1, 2, 3, 4, 9))).toBe(4);
    expect(blocks(kv, C)).toEqual(blocks(kv, A).slice(0, 2));
    expect(kv.stats()).toMatchObject({ prefixQueriedTokens: 14, prefixHitTokens: 6, numCachedBlocks: 2 });
  });

  it('does not find what was reserved but not committed', () => {
    const kv = pool(9);
    kv.open(A, ids(1, 2, 3));
    kv.reserve(A, 3);
    expect(kv.open(B, ids(1, 2, 3))).toBe(0);
  });

  it('depends on all tokens before, on salt and on the extra key', () => {
    const kv = pool(20);
    const tokens = ids(1, 2, 3, 4, 5);
    kv.open(A, tokens, { salt: 'red', extraKey: 'adapter' });
    kv.reserve(A, 5);
    kv.commit(A, tokens, 5);
    let next = 10;
    const hit = (of: Int32Array, options = {}) => kv.open(next++ as SequenceId, of, options);
    expect(hit(tokens, { salt: 'red', extraKey: 'adapter' })).toBe(4);
    expect(hit(ids(1, 9, 3, 4, 5), { salt: 'red', extraKey: 'adapter' })).toBe(0);
    expect(hit(tokens, { salt: 'blue', extraKey: 'adapter' })).toBe(0);
    expect(hit(tokens, { salt: 'red' })).toBe(0);
    expect(hit(tokens, { extraKey: 'red', salt: 'adapter' })).toBe(0);
    expect(hit(tokens)).toBe(0);
    expect(hit(tokens, { salt: 'red', extraKey: 'adapter', skipPrefixRead: true })).toBe(0);
  });

  it('outlives the sequence until the blocks are needed, deepest first', () => {
    const kv = pool(5);
    run(kv, A, ids(1, 2, 3, 4, 5, 6));
    kv.close(A);
    expect(kv.numFreeBlocks).toBe(4);
    kv.open(B, ids(9, 9, 9, 9));
    expect(kv.reserve(B, 4)).toBe(true);
    expect(kv.stats().evictedBlocks).toBe(1);
    kv.close(B);
    expect(kv.open(A, ids(1, 2, 3, 4, 5, 6, 7))).toBe(4);
  });

  it('evicts the least recently used prefix', () => {
    const kv = pool(4);
    for (const [sequence, token] of [
      [A, 1],
      [B, 2],
      [C, 3],
    ] as const) {
      run(kv, sequence, ids(token, token));
      kv.close(sequence);
    }
    kv.open(A, ids(1, 1, 0));
    kv.close(A);
    run(kv, A, ids(4, 4));
    expect(kv.open(B, ids(2, 2, 0))).toBe(0);
    expect(kv.open(C, ids(3, 3, 0))).toBe(2);
  });

  it('keeps content once when two sequences compute the same', () => {
    const kv = pool(9);
    kv.open(A, ids(1, 2, 3));
    kv.open(B, ids(1, 2, 3));
    for (const sequence of [A, B]) kv.reserve(sequence, 3);
    expect(kv.numFreeBlocks).toBe(4);
    for (const sequence of [A, B]) kv.commit(sequence, ids(1, 2, 3), 3);
    expect(kv.numFreeBlocks).toBe(5);
    expect(blocks(kv, B)[0]).toBe(blocks(kv, A)[0]);
    expect(kv.table(B, 0).dirtyFrom).toBe(0);
  });

  it('can be forgotten, as far as nobody holds it', () => {
    const kv = pool(9);
    run(kv, A, ids(1, 1, 2, 2, 3));
    run(kv, B, ids(5, 5, 5));
    kv.close(B);
    kv.resetPrefixCache();
    expect(kv.stats().numCachedBlocks).toBe(2);
    expect(kv.open(B, ids(5, 5, 5))).toBe(0);
    expect(kv.open(C, ids(1, 1, 2))).toBe(2);
  });

  it('can be turned off', () => {
    const kv = createKvCacheManager({ numBlocks: 9, blockSize: 2, groups: [FULL], enablePrefixCaching: false });
    run(kv, A, ids(1, 2, 3));
    expect(kv.open(B, ids(1, 2, 3))).toBe(0);
    expect(kv.stats().numCachedBlocks).toBe(0);
  });
});

describe('sliding windows', () => {
  it('give blocks back as soon as no later token sees them', () => {
    const kv = pool(20, 2, [FULL, WINDOW_4]);
    run(kv, A, ids(1, 2, 3, 4, 5, 6, 7));
    // Position 7 sees tokens 4 to 7.
    expect(blocks(kv, A, 0)).toHaveLength(4);
    expect(blocks(kv, A, 1).map((block) => block > 0)).toEqual([false, false, true, true]);
    expect(kv.numFreeBlocks).toBe(19 - 6);
  });

  it('hit a prefix although its early blocks are gone', () => {
    const kv = pool(7, 2, [WINDOW_4]);
    const tokens = ids(1, 2, 3, 4, 5, 6, 7, 8, 9);
    kv.open(A, tokens);
    for (let end = 1; end <= 9; end++) {
      expect(kv.reserve(A, end)).toBe(true);
      kv.commit(A, tokens, end);
    }
    // Whatever else needs room takes the released blocks; those of the window stay.
    kv.open(B, ids(0));
    expect(kv.reserve(B, 6)).toBe(true);
    kv.close(A);
    expect(kv.open(C, tokens)).toBe(8);
    expect(blocks(kv, C).map((block) => block > 0)).toEqual([false, false, true, true]);
  });

  it('refuse to go back to where their blocks are gone', () => {
    const kv = pool(20, 2, [WINDOW_4]);
    run(kv, A, ids(1, 2, 3, 4, 5, 6, 7, 8));
    expect(() => kv.truncate(A, 3)).toThrow(/left the window of group 0 \(8 tokens are computed\)/);
    kv.truncate(A, 7);
    expect(() => kv.fork(A, B, 2)).toThrow(/left the window/);
  });
});

describe('fork and truncate', () => {
  it('share blocks until one side writes, then copy', () => {
    const kv = pool(9);
    run(kv, A, ids(1, 2, 3));
    kv.fork(A, B, 3);
    expect(blocks(kv, B)).toEqual(blocks(kv, A));
    expect(kv.takeTransfers()).toEqual([]);
    const [, shared] = blocks(kv, A);
    expect(kv.reserve(B, 4)).toBe(true);
    const [, own] = blocks(kv, B);
    expect(own).not.toBe(shared);
    expect(kv.takeTransfers()).toMatchObject([{ op: 'copy', group: 0, src: shared, dst: own }]);
    expect(kv.reserve(A, 4)).toBe(true);
    expect(kv.takeTransfers()).toEqual([]);
    expect(blocks(kv, A)[1]).toBe(shared);
  });

  it('give back room that drafts did not use', () => {
    const kv = pool(9);
    run(kv, A, ids(1, 2, 3));
    kv.reserve(A, 8);
    expect(kv.numFreeBlocks).toBe(4);
    kv.truncate(A, 3);
    expect(kv.numFreeBlocks).toBe(6);
  });

  it('never write into a published block, even of one holder', () => {
    const kv = pool(9);
    run(kv, A, ids(1, 2, 3, 4));
    const [, published] = blocks(kv, A);
    kv.truncate(A, 3);
    kv.reserve(A, 4);
    expect(blocks(kv, A)[1]).not.toBe(published);
    expect(kv.takeTransfers()).toMatchObject([{ op: 'copy', group: 0, src: published, dst: blocks(kv, A)[1] }]);
    kv.commit(A, ids(1, 2, 3, 9), 4);
    expect(kv.open(B, ids(1, 2, 3, 4, 0))).toBe(4);
    expect(kv.open(C, ids(1, 2, 3, 9, 0))).toBe(4);
  });
});

describe('mistakes', () => {
  it.each([
    ['numBlocks', { numBlocks: 1 }],
    ['blockSize', { blockSize: 0 }],
    ['blockSize', { blockSize: 1.5 }],
    ['groups', { groups: [] }],
    ['groups[0].kind', { groups: [{ kind: 'ring', bytesPerBlock: 1 }] }],
    ['groups[0].window', { groups: [{ kind: 'window', bytesPerBlock: 1 }] }],
    ['groups[0].window', { groups: [{ kind: 'full', window: 4, bytesPerBlock: 1 }] }],
    ['groups[1].bytesPerBlock', { groups: [FULL, { ...WINDOW_4, bytesPerBlock: 1 }] }],
    ['maxTenants', { maxTenants: 0 }],
    ['maxPinnedShare', { maxPinnedShare: 1 }],
    ['maxPinnedShare', { maxPinnedShare: Number.NaN }],
    ['hostTier.numBlocks', { hostTier: { numBlocks: 1 } }],
    ['hostTier.path', { hostTier: { numBlocks: 9, path: 'x' } }],
    ['hostTier', { hostTier: { numBlocks: 9 }, enablePrefixCaching: false }],
    ['blocksize', { blocksize: 16 }],
  ])('in the option %s are named', (parameter, options) => {
    const make = () => createKvCacheManager({ numBlocks: 9, blockSize: 2, groups: [FULL], ...options } as never);
    expect(make).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARGUMENT', parameter }));
  });

  it('in calls are typed errors with a stable code', () => {
    const kv = pool(3);
    const codeOf = (call: () => unknown) => {
      try {
        call();
      } catch (error) {
        return KvasirError.isInstance(error) ? error.code : error;
      }
      return undefined;
    };
    expect(codeOf(() => kv.close(A))).toBe('ERR_UNKNOWN_SEQUENCE');
    kv.open(A, ids(1));
    expect(codeOf(() => kv.open(A, ids(1)))).toBe('ERR_DUPLICATE_SEQUENCE');
    expect(codeOf(() => kv.commit(A, ids(1), 1))).toBe('ERR_INVALID_ARGUMENT');
  });
});
