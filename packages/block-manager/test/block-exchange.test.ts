import { expect, it } from 'vitest';
import { createKvCacheManager } from '../src/index.js';
import { A, B, blocks, FULL, ids, run, visit } from './support/sequences.js';

const make = (numBlocks: number) => createKvCacheManager({ numBlocks, blockSize: 2, groups: [FULL] });

it('hands a prefix from one manager to another by name', () => {
  const [prefill, decode] = [make(9), make(9)];
  run(prefill, A, ids(1, 2, 3, 4, 5));
  const lease = prefill.exportBlocks(A);
  expect(lease.blocks.map(({ block }) => block)).toEqual(blocks(prefill, A).slice(0, 2));
  prefill.close(A);
  expect(prefill.numFreeBlocks).toBe(6);

  const imported = decode.importBlocks(lease.blocks);
  expect(imported.blocks.map(({ hash }) => hash)).toEqual(lease.blocks.map(({ hash }) => hash));
  expect(decode.open(B, ids(1, 2, 3, 4, 5))).toBe(0);
  decode.close(B);
  imported.commit();
  lease.release();
  expect(prefill.numFreeBlocks).toBe(8);
  expect(decode.open(B, ids(1, 2, 3, 4, 5))).toBe(4);
  expect(blocks(decode, B)).toEqual(imported.blocks.map(({ block }) => block));
});

it('finds by name what is cached, and nothing else', () => {
  const kv = make(9);
  visit(kv, A, ids(1, 2, 3, 4));
  const all = [...kv.cachedBlocks('pool')];
  const hashes = all.map(({ hash }) => hash);
  const lease = kv.exportBlocks([...hashes, '00'.repeat(32)]);
  expect(new Set(lease.blocks)).toEqual(new Set(all));
  lease.release();
  expect([...kv.cachedBlocks('host')]).toEqual([]);
});

it('takes as many blocks as there is room for, first block first, and gives them back', () => {
  const [from, to] = [make(9), make(3)];
  run(from, A, ids(1, 2, 3, 4, 5, 6));
  const { blocks: names } = from.exportBlocks(A);
  const imported = to.importBlocks(names);
  expect(imported.blocks.map(({ hash }) => hash)).toEqual(names.slice(0, 2).map(({ hash }) => hash));
  expect(to.numFreeBlocks).toBe(0);
  imported.abort();
  imported.commit();
  expect(to.numFreeBlocks).toBe(2);
  expect(to.stats().numCachedBlocks).toBe(0);
});

it('keeps what was computed meanwhile', () => {
  const [from, to] = [make(9), make(9)];
  run(from, A, ids(1, 2, 3));
  const imported = to.importBlocks(from.exportBlocks(A).blocks);
  run(to, A, ids(1, 2, 3));
  imported.commit();
  to.checkIntegrity();
  expect(to.numFreeBlocks).toBe(6);
  expect(to.open(B, ids(1, 2, 3))).toBe(2);
  expect(blocks(to, B)[0]).toBe(blocks(to, A)[0]);
});

it('refuses what is no name', () => {
  const kv = make(9);
  const hash = 'ab'.repeat(32);
  for (const misuse of [
    () => kv.importBlocks([{ hash: 'AB'.repeat(32), group: 0 }]),
    () => kv.importBlocks([{ hash, group: 1 }]),
    () => kv.exportBlocks(['ab']),
  ]) {
    expect(misuse).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARGUMENT' }));
  }
  expect(kv.numFreeBlocks).toBe(8);
});
