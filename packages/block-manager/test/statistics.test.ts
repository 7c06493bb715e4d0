import { describe, expect, it } from 'vitest';
import { createKvCacheManager, OTHER_TENANTS } from '../src/index.js';
import { A, B, FULL, ids, run, visit } from './support/sequences.js';

const make = (numBlocks: number, options = {}) =>
  createKvCacheManager({ numBlocks, blockSize: 2, groups: [FULL], ...options });

it('counts queries, hits and evictions by tenant; the publisher pays for the eviction', () => {
  const kv = make(4);
  visit(kv, A, ids(1, 2, 3, 4), { tenant: 'red' });
  expect(visit(kv, B, ids(1, 2, 3), { tenant: 'blue' })).toBe(2);
  visit(kv, B, new Int32Array(6).fill(9));
  expect(Object.fromEntries(kv.stats().tenants)).toEqual({
    red: { queriedTokens: 4, hitTokens: 0, evictedBlocks: 2 },
    blue: { queriedTokens: 3, hitTokens: 2, evictedBlocks: 0 },
    '': { queriedTokens: 6, hitTokens: 0, evictedBlocks: 0 },
  });
  expect(kv.stats()).toMatchObject({ prefixQueries: 3, prefixHits: 1, evictedBlocks: 2 });
});

it('tracks a bounded number of tenants, the rest under one name', () => {
  const kv = make(9, { maxTenants: 2 });
  for (const tenant of ['a', 'b', 'c', 'd', 'a', OTHER_TENANTS]) visit(kv, A, ids(1), { tenant });
  const queried = [...kv.stats().tenants].map(([name, { queriedTokens }]) => [name, queriedTokens]);
  expect(queried).toEqual([
    ['a', 2],
    ['b', 1],
    [OTHER_TENANTS, 3],
  ]);
});

describe('usage', () => {
  it('is what is held against what is stored, shared blocks once', () => {
    const kv = make(9);
    run(kv, A, ids(1, 2, 3, 4, 5));
    expect(kv.usage()).toEqual({ heldTokens: 6, storedTokens: 5 });
    kv.fork(A, B, 5);
    expect(kv.usage()).toEqual({ heldTokens: 6, storedTokens: 5 });
    kv.reserve(B, 8);
    expect(kv.usage()).toEqual({ heldTokens: 10, storedTokens: 6 });
    kv.close(A);
    kv.close(B);
    expect(kv.usage()).toEqual({ heldTokens: 0, storedTokens: 0 });
  });

  it('is the same without prefix caching', () => {
    const kv = make(9, { enablePrefixCaching: false });
    run(kv, A, ids(1, 2, 3, 4, 5));
    kv.fork(A, B, 3);
    expect(kv.usage()).toEqual({ heldTokens: 6, storedTokens: 5 });
  });
});
