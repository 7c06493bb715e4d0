import { createKvCacheManager } from '@kvasir/block-manager';
import type { SequenceId } from '@kvasir/interfaces';
import { expectReached, fcParameters } from '@kvasir/testing';
import fc from 'fast-check';
import { afterAll, expect, it } from 'vitest';
import { Harness } from './support/harness.js';

const NUM_RUNS = 80;
const reached = { passed: 0, waitedForBlocks: 0 };
const BLOCK_SIZE = 2;
const MAX_LENGTH = 20;

it('who does not fit is passed so many times at most, and then runs within a bound, however many keep coming', () => {
  fc.assert(
    fc.property(
      fc.record({
        numBlocks: fc.integer({ min: 11, max: 18 }),
        maxNumSeqs: fc.integer({ min: 2, max: 6 }),
        maxBypass: fc.nat({ max: 4 }),
        policy: fc.constantFrom('fcfs' as const, 'priority' as const, 'shortest-prefix-first' as const),
        maxInFlight: fc.constantFrom<1 | 2>(1, 2),
      }),
      fc.array(fc.record({ length: fc.integer({ min: 1, max: 6 }), numOutput: fc.integer({ min: 1, max: 9 }) }), {
        minLength: 1,
        maxLength: 5,
      }),
      ({ numBlocks, maxNumSeqs, maxBypass, policy, maxInFlight }, small) => {
        const harness = new Harness({
          kvCache: createKvCacheManager({
            numBlocks,
            blockSize: BLOCK_SIZE,
            groups: [{ kind: 'full', bytesPerBlock: 1 }],
            enablePrefixCaching: false,
          }),
          maxNumSeqs,
          // No prompt waits for a share of a step: blocks and slots are all there is to wait for.
          maxNumBatchedTokens: 200,
          maxModelLen: MAX_LENGTH,
          maxBypass,
          policy,
          maxInFlight,
        });
        const addSmall = (turn: number): SequenceId => {
          const { length, numOutput } = small[turn % small.length]!;
          return harness.add(new Array<number>(length).fill(1 + (turn % 7)), numOutput);
        };
        const go = () => {
          if (!(harness.inFlight.length < maxInFlight && harness.step())) harness.commit();
        };
        for (let turn = 0; turn < maxNumSeqs; turn++) addSmall(turn);
        for (let turn = 0; turn < 4; turn++) go();
        const early = new Set(harness.specs.keys());
        const big = harness.add(new Array<number>(17).fill(9), 3);
        const from = harness.seen.plans;
        for (let turn = 0; !harness.startedIn.has(big); turn++) {
          addSmall(turn);
          go();
          // Those that were here before, and those that may pass, each at most twice its length in steps.
          const bound = 2 * (early.size + maxBypass + 1) * MAX_LENGTH + 1;
          expect(harness.seen.plans - from).toBeLessThanOrEqual(bound);
        }
        const start = harness.startedIn.get(big)!;
        const passed = [...harness.startedIn].filter(([id, step]) => id > big && step < start).length;
        expect(passed).toBeLessThanOrEqual(maxBypass);
        expect(harness.scheduler.stats().numBypasses).toBeGreaterThanOrEqual(passed);
        reached.passed += passed;
        reached.waitedForBlocks += harness.seen.plans - from > 1 ? 1 : 0;
        harness.drain();
      },
    ),
    fcParameters(NUM_RUNS),
  );
});

afterAll(() => expectReached(reached, { passed: 0.3, waitedForBlocks: 0.2 }, NUM_RUNS));
