import type { BlockId } from '@kvasir/interfaces';
import { expectReached, fcParameters } from '@kvasir/testing';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { DIGEST_WORDS } from '../src/hash-chain.js';
import { PrefixIndex } from '../src/prefix-index.js';

const SIZE = 6;

// The first word places a key: two values only, so that nearly all keys collide and runs wrap around the table.
const digest = fc
  .tuple(fc.constantFrom(-1, 0, 14), fc.nat({ max: DIGEST_WORDS - 1 }), fc.nat({ max: 1 }))
  .map(([first, word, value]) => {
    const words = new Int32Array(DIGEST_WORDS);
    words[word] = value;
    words[0] = first;
    return words;
  });
const operation = fc.record({
  kind: fc.constantFrom('insert', 'insert', 'delete'),
  digest,
  group: fc.nat({ max: 1 }),
  block: fc.integer({ min: 1, max: SIZE }).map((block) => block as BlockId),
});

it('is a map from digest and group to block, however keys collide', () => {
  let collisions = 0;
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 40, size: 'max' }), (operations) => {
      const real = new PrefixIndex(SIZE);
      const model = new Map<string, BlockId>();
      const keys = operations.map(({ digest: words, group }) => ({ words, group, key: `${group}:${words.join()}` }));
      operations.forEach(({ kind, digest: words, group, block }, i) => {
        const { key } = keys[i]!;
        const isPublished = [...model.values()].includes(block);
        expect(real.has(block)).toBe(isPublished);
        if (kind === 'delete' && isPublished) {
          real.delete(block);
          for (const [other, held] of model) if (held === block) model.delete(other);
        } else if (kind === 'insert' && !isPublished) {
          expect(real.insert(block, words, 0, group)).toBe(!model.has(key));
          if (!model.has(key)) model.set(key, block);
        }
        real.checkIntegrity();
        expect(real.size).toBe(model.size);
        for (const each of keys) expect(real.find(each.words, 0, each.group)).toBe(model.get(each.key) ?? 0);
        if (model.size > 2) collisions++;
      });
    }),
    fcParameters(200),
  );
  expectReached({ collisions }, { collisions: 5 }, 200);
});
