import type { SequenceId } from '@kvasir/interfaces';
import { expectReached, fcParameters } from '@kvasir/testing';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createKvCacheManager } from '../src/index.js';
import { FULL, visit } from './support/sequences.js';

// Texts that could be mistaken for one another if keys were only strung together.
const key = fc.option(fc.constantFrom('', 'a', 'b', 'ab', '","', 'null'), { nil: undefined });
const keys = fc.record({ salt: key, extraKey: key });
const prompt = fc.array(fc.nat({ max: 1 }), { minLength: 2, maxLength: 8 });

function options({ salt, extraKey }: { salt: string | undefined; extraKey: string | undefined }) {
  return { ...(salt === undefined ? {} : { salt }), ...(extraKey === undefined ? {} : { extraKey }) };
}

it('content of one salt and extra key is never found under another, in pool or host tier', () => {
  const outcomes = { sameKeys: 0, otherKeys: 0 };
  fc.assert(
    fc.property(fc.array(fc.tuple(keys, prompt), { minLength: 2, maxLength: 8 }), (visits) => {
      const kv = createKvCacheManager({ numBlocks: 9, blockSize: 1, groups: [FULL], hostTier: { numBlocks: 99 } });
      const seen: [string, number[]][] = [];
      visits.forEach(([own, tokens], at) => {
        const hit = visit(kv, (at + 1) as SequenceId, Int32Array.from(tokens), options(own));
        const name = JSON.stringify([own.salt ?? null, own.extraKey ?? null]);
        const common = (other: readonly number[]) => {
          const end = tokens.findIndex((token, i) => token !== other[i]);
          return Math.min(end < 0 ? tokens.length : end, tokens.length - 1);
        };
        const longest = Math.max(0, ...seen.filter(([keyed]) => keyed === name).map(([, other]) => common(other)));
        const elsewhere = Math.max(0, ...seen.map(([, other]) => common(other)));
        // Everything fits into pool and tier, so what was computed under these keys is found, and nothing else.
        expect(hit).toBe(longest);
        if (hit > 0) outcomes.sameKeys++;
        if (elsewhere > longest) outcomes.otherKeys++;
        seen.push([name, tokens]);
      });
    }),
    fcParameters(150),
  );
  expectReached(outcomes, { sameKeys: 0.05, otherKeys: 1 }, 150);
});
