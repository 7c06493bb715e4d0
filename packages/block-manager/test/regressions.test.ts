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

it('an import makes room without evicting what it was asked for', () => {
  const [from, to] = [5, 3].map((numBlocks) => createKvCacheManager({ numBlocks, blockSize: 1, groups: [FULL] }));
  for (const kv of [from!, to!]) {
    kv.open(A, Int32Array.of(1, 2));
    kv.reserve(A, 2);
  }
  from!.commit(A, [1, 2], 2);
  const { blocks } = from!.exportBlocks(A);
  to!.commit(A, [1], 1);
  to!.close(A);
  const imported = to!.importBlocks(blocks);
  expect(imported.blocks.map(({ hash }) => hash)).toEqual([blocks[1]!.hash]);
  imported.commit();
  expect(to!.open(B, Int32Array.of(1, 2, 3))).toBe(2);
});

it('content that is computed while it is imported goes idle after what follows it', () => {
  const [from, to] = [5, 6].map((numBlocks) => createKvCacheManager({ numBlocks, blockSize: 1, groups: [FULL] }));
  from!.open(A, Int32Array.of(1, 2));
  from!.reserve(A, 2);
  from!.commit(A, [1, 2], 2);
  const imported = to!.importBlocks(from!.exportBlocks(A).blocks);
  to!.open(A, Int32Array.of(1));
  to!.reserve(A, 1);
  to!.commit(A, [1], 1);
  to!.close(A);
  imported.commit();
  // Five blocks, two of them cached: four new ones take the last of the chain, and leave its first.
  to!.open(A, Int32Array.of(9));
  expect(to!.reserve(A, 4)).toBe(true);
  expect(to!.open(B, Int32Array.of(1, 2, 3))).toBe(1);
});
