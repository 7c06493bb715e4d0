import { createKvCacheManager } from '@kvasir/block-manager';
import { fcParameters } from '@kvasir/testing';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Tenants } from '../../src/tenants.js';
import { Harness } from '../support/harness.js';

const MAX_LENGTH = 16;
const request = fc.record({
  prompt: fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 8 }),
  numOutput: fc.integer({ min: 1, max: 8 }),
});
const requests = fc.array(request, { minLength: 1, maxLength: 4 });
type Requests = readonly { readonly prompt: number[]; readonly numOutput: number }[];
const limits = fc.record({
  maxNumSeqs: fc.integer({ min: 1, max: 4 }),
  more: fc.integer({ min: 0, max: 8 }),
  numBlocks: fc.integer({ min: 10, max: 40 }),
  weights: fc.record({ a: fc.integer({ min: 1, max: 4 }), b: fc.integer({ min: 1, max: 4 }) }),
  maxInFlight: fc.constantFrom<1 | 2>(1, 2),
});
const MAX_BYPASS = 2;
type Limits = typeof limits extends fc.Arbitrary<infer T> ? T : never;
const make = ({ maxNumSeqs, more, numBlocks, weights, maxInFlight }: Limits) =>
  new Harness({
    kvCache: createKvCacheManager({
      numBlocks,
      blockSize: 2,
      groups: [{ kind: 'full', bytesPerBlock: 1 }],
      enablePrefixCaching: false,
    }),
    maxNumSeqs,
    maxNumBatchedTokens: maxNumSeqs + more,
    maxModelLen: MAX_LENGTH,
    policy: 'fair',
    tenantWeights: weights,
    maxBypass: MAX_BYPASS,
    maxInFlight,
  });
/** A turn of an engine in which each tenant has more waiting than could be admitted: none ever leaves. */
const turn = (harness: Harness, tenants: readonly [string, Requests][], at: number) => {
  for (const [tenant, list] of tenants) {
    while ((harness.scheduler.stats().tenants.get(tenant)?.numWaiting ?? 0) <= harness.options.maxNumSeqs) {
      const { prompt, numOutput } = list[at % list.length]!;
      harness.add(prompt, numOutput, { tenant });
    }
  }
  if (!(harness.inFlight.length < (harness.options.maxInFlight ?? 1) && harness.step())) harness.commit();
};
const service = (harness: Harness, tenant: string) =>
  (harness.scheduler.stats().tenants.get(tenant)?.servedTokens ?? 0) / harness.options.tenantWeights![tenant]!;

it('tenants that always have more waiting are served by their weights, within what runs at the same time', () => {
  fc.assert(
    fc.property(limits, requests, requests, (options, a, b) => {
      const harness = make(options);
      // Who leads was behind when its last sequence came in: all that it can be ahead by is what runs, and whoever passed.
      const { weights, maxNumSeqs } = options;
      const bound = ((maxNumSeqs + MAX_BYPASS) * MAX_LENGTH) / Math.min(weights.a, weights.b);
      for (let at = 0; at < 150; at++) {
        turn(
          harness,
          [
            ['a', a],
            ['b', b],
          ],
          at,
        );
        expect(Math.abs(service(harness, 'a') - service(harness, 'b'))).toBeLessThanOrEqual(bound);
      }
      // Both tenants have got far beyond the bound, so that it means something.
      expect(harness.scheduler.stats().tenants.get('a')!.servedTokens).toBeGreaterThan(10);
      harness.drain();
    }),
    fcParameters(40),
  );
});

it('a tenant of long prompts and much weight keeps its share beside one of short prompts', () => {
  const weights = { a: 8, b: 1 };
  const harness = make({ maxNumSeqs: 3, more: 3, numBlocks: 40, weights, maxInFlight: 1 });
  const long: Requests = [{ prompt: [1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3], numOutput: 1 }];
  const short: Requests = [{ prompt: [7, 7], numOutput: 1 }];
  for (let at = 0; at < 1_500; at++)
    turn(
      harness,
      [
        ['a', long],
        ['b', short],
      ],
      at,
    );
  const bound = (3 + MAX_BYPASS) * MAX_LENGTH;
  expect(Math.abs(service(harness, 'a') - service(harness, 'b'))).toBeLessThanOrEqual(bound);
  harness.drain();
});

it('a newcomer is not held up by what others were served or queued, and time away earns nothing', () => {
  fc.assert(
    fc.property(limits, requests, requests, fc.nat({ max: 60 }), (options, a, b, alone) => {
      const harness = make(options);
      for (let at = 0; at < alone; at++) turn(harness, [['a', a]], at);
      for (let i = 0; i < 10; i++) harness.add(a[0]!.prompt, a[0]!.numOutput, { tenant: 'a' });
      const before = service(harness, 'a');
      const first = harness.add(b[0]!.prompt, b[0]!.numOutput, { tenant: 'b' });
      const planned = harness.seen.plans;
      while (!harness.startedIn.has(first))
        turn(
          harness,
          [
            ['a', a],
            ['b', b],
          ],
          0,
        );
      // Those running have to end, and those that may pass it.
      const { maxNumSeqs, weights } = options;
      expect(harness.startedIn.get(first)! - planned).toBeLessThanOrEqual(2 * (maxNumSeqs + MAX_BYPASS) * MAX_LENGTH);
      for (let at = 0; at < 100; at++)
        turn(
          harness,
          [
            ['a', a],
            ['b', b],
          ],
          at,
        );
      const bound = ((maxNumSeqs + MAX_BYPASS) * MAX_LENGTH) / Math.min(weights.a, weights.b);
      const gainedByA = service(harness, 'a') - before;
      expect(service(harness, 'b') - gainedByA).toBeLessThanOrEqual(2 * bound);
      harness.drain();
    }),
    fcParameters(30),
  );
});

it('who left ahead of the others comes back no lower; who left behind them comes back level', () => {
  const tenants = new Tenants(new Map());
  const [a, b] = ['a', 'b'].map((name) => Object.assign(tenants.enter(name), { numRunning: 1 }));
  a!.serve(100);
  b!.serve(10);
  a!.numRunning = 0;
  tenants.leave(a!);
  expect(tenants.enter('a').service).toBe(100);
  tenants.enter('a').numRunning = 1;
  b!.numRunning = 0;
  tenants.leave(b!);
  expect(tenants.enter('b').service).toBe(100);
});
