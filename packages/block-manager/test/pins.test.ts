import { expect, it } from 'vitest';
import { createKvCacheManager } from '../src/index.js';
import { A, B, blocks, C, FULL, ids, run, visit, WINDOW_4 } from './support/sequences.js';

const SYSTEM = ids(1, 2, 3, 4);
const pool = (numBlocks: number, maxPinnedShare: number, groups = [FULL]) =>
  createKvCacheManager({ numBlocks, blockSize: 2, groups, maxPinnedShare });

it('keeps a system prompt that is computed already, whatever comes after', () => {
  const kv = pool(7, 0.5);
  visit(kv, A, ids(...SYSTEM, 5));
  kv.pin('system', SYSTEM);
  expect(kv.stats().numPinnedBlocks).toBe(2);
  expect(kv.numFreeBlocks).toBe(4);
  for (let token = 20; token < 24; token++) visit(kv, B, ids(token, token, token, token, token, token, token, token));
  expect(kv.open(A, ids(...SYSTEM, 6))).toBe(4);
  kv.checkIntegrity();
});

it('keeps one that is computed later', () => {
  const kv = pool(7, 0.5);
  kv.pin('system', SYSTEM);
  expect(kv.stats().numPinnedBlocks).toBe(0);
  expect(kv.numFreeBlocks).toBe(6);
  visit(kv, A, ids(...SYSTEM, 5));
  expect(kv.stats().numPinnedBlocks).toBe(2);
  visit(kv, B, new Int32Array(8).fill(9));
  expect(kv.open(A, ids(...SYSTEM, 6))).toBe(4);
});

it('keeps in a window group what the next token sees', () => {
  const kv = pool(20, 0.5, [FULL, WINDOW_4]);
  kv.pin('system', ids(1, 2, 3, 4, 5, 6, 7, 8));
  visit(kv, A, ids(1, 2, 3, 4, 5, 6, 7, 8, 9));
  expect(kv.stats().numPinnedBlocks).toBe(4 + 2);
});

it('is bounded by its share, which never was promised to anyone', () => {
  const kv = pool(9, 0.25);
  expect(kv.fits(12)).toBe(true);
  expect(kv.fits(13)).toBe(false);
  expect(() => kv.pin('long', ids(1, 2, 3, 4, 5, 6))).toThrow(
    expect.objectContaining({ code: 'ERR_PIN_LIMIT', numBlocks: 3, maxBlocks: 2 }),
  );
  kv.pin('a', SYSTEM);
  // The first block is shared; one more would be one too many.
  expect(() => kv.pin('b', ids(1, 2, 9, 9))).toThrow(/pins would hold 3 blocks, expected at most 2/);
  kv.pin('a', ids(1, 2, 9, 9));
  expect(() => pool(9, 0).pin('x', SYSTEM)).toThrow(/raise maxPinnedShare/);
});

it('ends: the blocks stay cached, and are evicted as any others', () => {
  const kv = pool(5, 0.5);
  kv.pin('system', SYSTEM);
  visit(kv, A, SYSTEM);
  expect(kv.unpin('system')).toBe(true);
  expect(kv.unpin('system')).toBe(false);
  expect(kv.numFreeBlocks).toBe(4);
  expect(kv.open(A, ids(...SYSTEM, 5))).toBe(4);
  kv.close(A);
  visit(kv, B, new Int32Array(8).fill(9));
  expect(kv.open(A, ids(...SYSTEM, 5))).toBe(0);
});

it('gives back the end of its prefix first', () => {
  const kv = pool(5, 0.5);
  kv.pin('system', SYSTEM);
  visit(kv, A, SYSTEM);
  kv.unpin('system');
  visit(kv, B, new Int32Array(6).fill(9));
  expect(kv.open(A, ids(...SYSTEM, 5))).toBe(2);
});

it('outlives a reset as a wish: the content goes, and is kept again once it is computed anew', () => {
  const kv = pool(7, 0.5);
  kv.pin('system', SYSTEM);
  visit(kv, A, SYSTEM);
  run(kv, B, ids(1, 2, 7));
  kv.resetPrefixCache();
  // B holds the first block; nobody but the pin held the second.
  expect(kv.stats().numPinnedBlocks).toBe(1);
  expect(kv.open(C, ids(...SYSTEM, 5))).toBe(2);
  kv.reserve(C, 5);
  kv.commit(C, ids(...SYSTEM, 5), 5);
  expect(kv.stats().numPinnedBlocks).toBe(2);
  expect(blocks(kv, C)).toHaveLength(3);
  kv.checkIntegrity();
});

it('needs prefix caching', () => {
  const kv = createKvCacheManager({ numBlocks: 5, blockSize: 2, groups: [FULL], enablePrefixCaching: false });
  expect(() => kv.pin('x', SYSTEM)).toThrow(expect.objectContaining({ code: 'ERR_UNSUPPORTED' }));
});
