import { createHash } from 'node:crypto';
import { fcParameters } from '@kvasir/testing';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { BlockHasher } from '../src/block-hasher.js';
import { DIGEST_WORDS, HashChain } from '../src/hash-chain.js';

const key = fc.option(fc.string(), { nil: undefined });

it('is the chain of SHA-256 that the documentation says', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 5 }),
      fc.string(),
      fc.array(fc.record({ salt: key, extraKey: key, tokens: fc.array(fc.integer({ min: 0, max: 300_000 })) }), {
        minLength: 1,
        maxLength: 4,
      }),
      (blockSize, seed, sequences) => {
        const hasher = new BlockHasher(blockSize, seed);
        for (const { salt, extraKey, tokens } of sequences) {
          const numBlocks = Math.floor(tokens.length / blockSize);
          const chain = hasher.start(salt, extraKey);
          hasher.extend(chain, tokens, Math.floor(numBlocks / 2));
          hasher.extend(chain, tokens, numBlocks);
          expect(chain.length).toBe(numBlocks);

          const root = JSON.stringify(['kvasir.kv-block.1', blockSize, seed, salt ?? null, extraKey ?? null]);
          let digest = createHash('sha256').update(root).digest();
          for (let block = 0; block < numBlocks; block++) {
            const bytes = Int32Array.from(tokens.slice(block * blockSize, (block + 1) * blockSize));
            digest = createHash('sha256').update(digest).update(bytes).digest();
            const at = HashChain.wordOf(block);
            const words = chain.words.slice(at, at + DIGEST_WORDS);
            expect(Buffer.from(words.buffer).toString('hex')).toBe(digest.toString('hex'));
          }
        }
      },
    ),
    fcParameters(100),
  );
});
