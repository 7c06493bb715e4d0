import { createKvCacheManager } from '@kvasir/block-manager';
import { fcParameters } from '@kvasir/testing';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { SchedulerOptions } from '../src/index.js';
import { Harness } from './support/harness.js';

const roomy = () =>
  createKvCacheManager({ numBlocks: 100, blockSize: 4, groups: [{ kind: 'full', bytesPerBlock: 1 }] });
const requests = fc.array(
  fc.record({
    prompt: fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 30 }),
    numOutput: fc.integer({ min: 1, max: 10 }),
  }),
  { minLength: 1, maxLength: 8 },
);
const sizes = fc.record({
  maxNumSeqs: fc.integer({ min: 1, max: 8 }),
  more: fc.integer({ min: 0, max: 40 }),
  threshold: fc.integer({ min: 1, max: 40 }),
});

type Requests = readonly { readonly prompt: number[]; readonly numOutput: number }[];
const make = (list: Requests, options: Omit<SchedulerOptions, 'kvCache' | 'maxModelLen'>) => {
  const harness = new Harness({ kvCache: roomy(), maxModelLen: 64, ...options });
  for (const { prompt, numOutput } of list) harness.add(prompt, numOutput);
  return harness;
};

it('any budget and chunk size ends with the tokens of one whole prefill', () => {
  fc.assert(
    fc.property(requests, sizes, (list, { maxNumSeqs, more, threshold }) => {
      const whole = make(list, { maxNumSeqs: 1, maxNumBatchedTokens: 64 });
      const chunked = make(list, {
        maxNumSeqs,
        maxNumBatchedTokens: maxNumSeqs + more,
        longPrefillTokenThreshold: threshold,
      });
      whole.drain();
      chunked.drain();
      expect(chunked.histories).toEqual(whole.histories);
      expect(chunked.seen.preempted).toBe(0);
    }),
    fcParameters(60),
  );
});

it('the same calls make the same plans', () => {
  fc.assert(
    fc.property(requests, sizes, (list, { maxNumSeqs, more }) => {
      const options = { maxNumSeqs, maxNumBatchedTokens: maxNumSeqs + more, maxInFlight: 2 } as const;
      const [one, other] = [make(list, options), make(list, options)];
      while (one.scheduler.numUnfinished > 0) {
        expect(one.step()).toBe(other.step());
        expect(one.inFlight.map(({ plan }) => JSON.stringify(plan, visible))).toEqual(
          other.inFlight.map(({ plan }) => JSON.stringify(plan, visible)),
        );
        one.commit();
        other.commit();
      }
      one.drain();
      other.drain();
    }),
    fcParameters(30),
  );
});

const visible = (key: string, value: unknown) => (key === 'state' ? undefined : value);
