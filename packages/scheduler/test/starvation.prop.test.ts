import { createKvCacheManager } from '@kvasir/block-manager';
import { fcParameters } from '@kvasir/testing';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Harness } from './support/harness.js';

const request = fc.record({
  prompt: fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 12 }),
  numOutput: fc.integer({ min: 1, max: 8 }),
});

it('a request ends within a bound that later arrivals do not move, however many keep coming', () => {
  fc.assert(
    fc.property(
      fc.array(request, { minLength: 1, maxLength: 6 }),
      fc.array(request, { minLength: 1, maxLength: 4 }),
      fc.record({
        numBlocks: fc.integer({ min: 12, max: 24 }),
        maxNumSeqs: fc.integer({ min: 1, max: 4 }),
        more: fc.integer({ min: 0, max: 12 }),
        maxInFlight: fc.constantFrom<1 | 2>(1, 2),
      }),
      (waiting, arrivals, { numBlocks, maxNumSeqs, more, maxInFlight }) => {
        const groups = [{ kind: 'full' as const, bytesPerBlock: 1 }];
        const harness = new Harness({
          kvCache: createKvCacheManager({ numBlocks, blockSize: 2, groups }),
          maxNumSeqs,
          maxNumBatchedTokens: maxNumSeqs + more,
          maxModelLen: 20,
          maxInFlight,
          maxBypass: 2,
        });
        const ids = waiting.map(({ prompt, numOutput }) => harness.add(prompt, numOutput));
        const target = ids.at(-1)!;
        const work = waiting.reduce((sum, { prompt, numOutput }) => sum + prompt.length + numOutput, 0);
        // Half of each step goes to who is first; two may pass who does not fit, and those running then have to end.
        const bound = 4 * work + 2 * (2 + maxNumSeqs) * 20 + 1;
        for (let turn = 0; !harness.finished.has(target); turn++) {
          const { prompt, numOutput } = arrivals[turn % arrivals.length]!;
          harness.add(prompt, numOutput);
          if (!(harness.inFlight.length < maxInFlight && harness.step())) harness.commit();
          expect(harness.seen.plans).toBeLessThanOrEqual(bound);
        }
        expect(harness.scheduler.numUnfinished).toBeGreaterThan(0);
        harness.drain();
      },
    ),
    fcParameters(60),
  );
});
