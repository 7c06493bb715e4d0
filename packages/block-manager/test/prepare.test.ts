import { KvasirError } from '@kvasir/interfaces';
import { beforeEach, expect, it, vi } from 'vitest';
import { createKvCacheManager } from '../src/index.js';
import { A, B, FULL, ids, run } from './support/sequences.js';

const counted = vi.hoisted(() => ({ hashes: 0 }));
vi.mock('node:crypto', async (importOriginal) => {
  const crypto = await importOriginal<typeof import('node:crypto')>();
  const hash: typeof crypto.hash = ((...args: Parameters<typeof crypto.hash>) => {
    counted.hashes++;
    return crypto.hash(...args);
  }) as typeof crypto.hash;
  return { ...crypto, hash };
});

const make = () => createKvCacheManager({ numBlocks: 17, blockSize: 2, groups: [FULL] });

beforeEach(() => {
  counted.hashes = 0;
});

it('hashes a prompt once: what is prepared is hashed neither by open nor by commit', () => {
  const kv = make();
  const tokens = ids(1, 2, 3, 4, 5);
  const prepared = kv.prepare(tokens);
  expect(prepared).toMatchObject({ numTokens: 5, numHashedBlocks: 2 });
  expect(counted.hashes).toBe(1 + 2);
  run(kv, A, tokens, { prepared });
  expect(run(kv, B, tokens, { prepared })).toBe(4);
  expect(counted.hashes).toBe(3);
  // Only what is generated is hashed later, by each sequence for itself.
  const [longer, other] = [ids(1, 2, 3, 4, 5, 6), ids(1, 2, 3, 4, 5, 7)];
  for (const [sequence, all] of [
    [A, longer],
    [B, other],
  ] as const) {
    kv.reserve(sequence, 6);
    kv.commit(sequence, all, 6);
  }
  expect(counted.hashes).toBe(5);
  kv.close(A);
  expect(kv.open(A, ids(...longer, 0), { prepared })).toBe(6);
  kv.checkIntegrity();
});

it('stays as it is when a sequence that uses it is rolled back and goes on otherwise', () => {
  const kv = make();
  const tokens = ids(1, 2, 3, 4, 5);
  const prepared = kv.prepare(tokens);
  run(kv, A, tokens, { prepared });
  kv.truncate(A, 2);
  kv.reserve(A, 4);
  kv.commit(A, ids(1, 2, 8, 9), 4);
  kv.checkIntegrity();
  expect(kv.open(B, tokens, { prepared })).toBe(4);
});

it('is refused for other keys, for fewer tokens, and from another manager', () => {
  const kv = make();
  const prepared = kv.prepare(ids(1, 2, 3, 4), { salt: 'red' });
  const other = createKvCacheManager({ numBlocks: 17, blockSize: 2, groups: [FULL], hashSeed: 'x' });
  const misuses = [
    () => kv.open(A, ids(1, 2, 3, 4), { prepared }),
    () => kv.open(A, ids(1, 2, 3), { prepared, salt: 'red' }),
    () => kv.open(A, ids(1, 2, 3, 4), { prepared, salt: 'red', extraKey: 'adapter' }),
    () => kv.open(A, ids(1, 2, 3, 4), { prepared: { ...prepared }, salt: 'red' }),
    () => other.open(A, ids(1, 2, 3, 4), { prepared, salt: 'red' }),
  ];
  for (const misuse of misuses) {
    expect(misuse).toThrow(KvasirError);
    expect(misuse).toThrow(/prepare\(\) a prefix of these tokens/);
  }
  expect(kv.open(A, ids(1, 2, 3, 4), { prepared, salt: 'red' })).toBe(0);
});

it('costs nothing without prefix caching', () => {
  const kv = createKvCacheManager({ numBlocks: 17, blockSize: 2, groups: [FULL], enablePrefixCaching: false });
  const tokens = ids(1, 2, 3, 4);
  run(kv, A, tokens, { prepared: kv.prepare(tokens) });
  expect(counted.hashes).toBe(0);
});
