import type { BlockId } from '@kvasir/interfaces';
import { expect, it } from 'vitest';
import { DIGEST_WORDS } from '../src/hash-chain.js';
import { PrefixIndex } from '../src/prefix-index.js';

it('digests that differ in one bit of any word but the placing one are different blocks', () => {
  const index = new PrefixIndex(40);
  const base = Int32Array.from({ length: DIGEST_WORDS }, (_, word) => 7 * word + 1);
  const near = [base];
  for (let word = 1; word < DIGEST_WORDS; word++) {
    for (const bit of [1, 1 << 31]) {
      const other = base.slice();
      other[word]! ^= bit;
      near.push(other);
    }
  }
  for (const [at, words] of near.entries()) expect(index.insert((at + 1) as BlockId, words, 0, 0)).toBe(true);
  for (const [at, words] of near.entries()) expect(index.find(words, 0, 0)).toBe(at + 1);
  expect(index.find(base, 0, 1)).toBe(0);
  index.delete(1 as BlockId);
  expect(index.find(base, 0, 0)).toBe(0);
  for (const [at, words] of near.entries()) if (at > 0) expect(index.find(words, 0, 0)).toBe(at + 1);
  index.checkIntegrity();
});
