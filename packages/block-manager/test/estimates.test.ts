import type { SequenceId } from '@kvasir/interfaces';
import { expect, it } from 'vitest';
import { createKvCacheManager } from '../src/index.js';

const [A, B, C] = [1, 2, 3] as [SequenceId, SequenceId, SequenceId];
const TOKENS = Int32Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9);
const make = (enablePrefixCaching: boolean) =>
  createKvCacheManager({
    numBlocks: 12,
    blockSize: 2,
    groups: [{ kind: 'full', bytesPerBlock: 1 }],
    enablePrefixCaching,
  });

it('lookup says what open would find, and leaves no trace', () => {
  const kv = make(true);
  kv.open(A, TOKENS);
  kv.reserve(A, 9);
  kv.commit(A, TOKENS, 5);
  const before = kv.stats();
  expect(kv.lookup(TOKENS)).toBe(4);
  expect(kv.lookup(TOKENS, { prepared: kv.prepare(TOKENS) })).toBe(4);
  expect(kv.lookup(TOKENS, { salt: 'other' })).toBe(0);
  expect(kv.lookup(TOKENS, { skipPrefixRead: true })).toBe(0);
  expect(kv.stats()).toEqual(before);
  expect(kv.open(B, TOKENS)).toBe(4);
});

it('an estimate of closing tells own blocks from shared ones, and what stays findable', () => {
  const kv = make(true);
  kv.open(A, TOKENS);
  kv.reserve(A, 9);
  kv.commit(A, TOKENS, 9);
  expect(kv.estimateClosing(A)).toEqual({ numFreedBlocks: 5, numSharedTokens: 0, numPublishedTokens: 8 });
  kv.fork(A, B, 5);
  expect(kv.estimateClosing(A)).toEqual({ numFreedBlocks: 2, numSharedTokens: 6, numPublishedTokens: 8 });
  const free = kv.numFreeBlocks;
  kv.close(A);
  expect(kv.numFreeBlocks).toBe(free + 2);
  expect(kv.open(C, TOKENS)).toBe(8);
});

it('without a cache nothing is found and nothing stays', () => {
  const kv = make(false);
  kv.open(A, TOKENS);
  kv.reserve(A, 9);
  kv.commit(A, TOKENS, 9);
  expect(kv.lookup(TOKENS, { prepared: kv.prepare(TOKENS) })).toBe(0);
  expect(kv.estimateClosing(A)).toEqual({ numFreedBlocks: 5, numSharedTokens: 0, numPublishedTokens: 0 });
});
