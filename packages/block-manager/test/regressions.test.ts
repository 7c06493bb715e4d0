import type { KvGroup, SequenceId } from '@kvasir/interfaces';
import { expect, it } from 'vitest';
import { createKvCacheManager } from '../src/index.js';

const [A, B] = [1, 2] as [SequenceId, SequenceId];
const FULL: KvGroup = { kind: 'full', bytesPerBlock: 64 };

it('a window of one token hits without a lookup, and still knows its hashes', () => {
  const kv = createKvCacheManager({
    numBlocks: 3,
    blockSize: 1,
    groups: [{ kind: 'window', window: 1, bytesPerBlock: 64 }],
  });
  expect(kv.open(A, Int32Array.of(0, 0))).toBe(1);
  kv.checkIntegrity();
});

it('hashes made ahead by a lookup do not survive a truncation', () => {
  const kv = createKvCacheManager({ numBlocks: 3, blockSize: 1, groups: [FULL] });
  kv.open(A, Int32Array.of(1, 0));
  kv.truncate(A, 0);
  kv.reserve(A, 1);
  kv.commit(A, [0], 1);
  expect(kv.open(B, Int32Array.of(1, 0))).toBe(0);
});

it('content that was computed twice comes back after the first copy was evicted', () => {
  const kv = createKvCacheManager({ numBlocks: 4, blockSize: 1, groups: [FULL] });
  for (const sequence of [A, B]) {
    kv.open(sequence, Int32Array.of(1, 0));
    kv.reserve(sequence, 1);
  }
  for (const sequence of [A, B]) kv.commit(sequence, [1, 0], 1);
  kv.close(A);
  kv.open(A, Int32Array.of(5));
  expect(kv.reserve(A, 2)).toBe(true);
  kv.close(B);
  expect(kv.open(B, Int32Array.of(1, 0))).toBe(1);
});
