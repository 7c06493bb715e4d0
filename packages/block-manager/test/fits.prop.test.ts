import type { KvGroup, SequenceId } from '@kvasir/interfaces';
import { expectReached, fcParameters } from '@kvasir/testing';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createKvCacheManager } from '../src/index.js';

const ID = 1 as SequenceId;
const group: fc.Arbitrary<KvGroup> = fc
  .option(fc.integer({ min: 1, max: 6 }))
  .map((window) =>
    window === null ? { kind: 'full', bytesPerBlock: 1 } : { kind: 'window', window, bytesPerBlock: 1 },
  );

it('never promises more than one sequence can get alone, and is exact without windows', () => {
  const answers = { yes: 0, no: 0 };
  fc.assert(
    fc.property(
      fc.integer({ min: 2, max: 12 }),
      fc.integer({ min: 1, max: 4 }),
      fc.array(group, { minLength: 1, maxLength: 3 }),
      fc.integer({ min: 1, max: 20 }),
      (numBlocks, blockSize, groups, length) => {
        const kv = createKvCacheManager({ numBlocks, blockSize, groups });
        const tokens = Int32Array.from({ length }, (_, i) => i);
        kv.open(ID, tokens.subarray(0, 1));
        let reached = 0;
        while (reached < length && kv.reserve(ID, reached + 1)) kv.commit(ID, tokens, ++reached);
        // A window that starts inside a block may need one block less than the bound.
        if (kv.fits(length)) expect(reached).toBe(length);
        else if (groups.every(({ kind }) => kind === 'full')) expect(reached).toBeLessThan(length);
        answers[kv.fits(length) ? 'yes' : 'no']++;
        kv.checkIntegrity();
      },
    ),
    fcParameters(200),
  );
  expectReached(answers, { yes: 0.15, no: 0.15 }, 200);
});
