import type { BlockId, KvGroup } from '@kvasir/interfaces';
import { expectReached, fcParameters } from '@kvasir/testing';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { BlockHasher } from '../src/block-hasher.js';
import { HashChain } from '../src/hash-chain.js';
import { PrefixIndex } from '../src/prefix-index.js';
import { matchPrefix } from '../src/prefix-match.js';

const group: fc.Arbitrary<KvGroup> = fc
  .option(fc.integer({ min: 1, max: 9 }), { freq: 3 })
  .map((window) =>
    window === null ? { kind: 'full', bytesPerBlock: 1 } : { kind: 'window', window, bytesPerBlock: 1 },
  );

/** The definition, tried from the longest length down: every token that the next one sees is cached in its group. */
function longestByDefinition(groups: readonly KvGroup[], cached: readonly boolean[][], length: number, size: number) {
  for (let numBlocks = Math.floor((length - 1) / size); numBlocks > 0; numBlocks--) {
    const end = numBlocks * size;
    const isWhole = groups.every((spec, index) => {
      for (let position = 0; position < end; position++) {
        const isSeen = spec.kind === 'full' || position > end - spec.window!;
        if (isSeen && cached[index]![Math.floor(position / size)] !== true) return false;
      }
      return true;
    });
    if (isWhole) return numBlocks;
  }
  return 0;
}

it('is the longest length from which every group can go on', () => {
  let partial = 0;
  fc.assert(
    fc.property(
      fc.array(fc.tuple(group, fc.array(fc.nat({ max: 5 }), { minLength: 8, maxLength: 8 })), {
        minLength: 1,
        maxLength: 3,
      }),
      fc.integer({ min: 1, max: 24 }),
      fc.integer({ min: 1, max: 4 }),
      (layout, length, blockSize) => {
        const groups = layout.map(([spec]) => spec);
        const cached = layout.map(([, dice]) => dice.map((roll) => roll > 0));
        const tokenIds = Int32Array.from({ length }, (_, i) => i % 2);
        const hasher = new BlockHasher(blockSize, '');
        const index = new PrefixIndex(24);
        const all = hasher.start(undefined, undefined);
        hasher.extend(all, tokenIds, Math.floor(length / blockSize));
        let block = 1;
        cached.forEach((flags, at) => {
          for (let i = 0; i < Math.min(all.length, flags.length); i++) {
            if (flags[i] === true) index.insert(block++ as BlockId, all.words, HashChain.wordOf(i), at);
          }
        });

        const chain = hasher.start(undefined, undefined);
        const found = matchPrefix({ indexes: [index], hasher, groups, blockSize, chain, tokenIds });
        expect(found).toBe(longestByDefinition(groups, cached, length, blockSize));
        expect(chain.length).toBeGreaterThanOrEqual(found);
        if (found > 0 && found < Math.floor((length - 1) / blockSize)) partial++;
      },
    ),
    fcParameters(300),
  );
  expectReached({ partial }, { partial: 0.04 }, 300);
});
