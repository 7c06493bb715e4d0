import { expectReached, fcParameters } from '@kvasir/testing';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { DrainRate } from '../../src/requests/drain-rate.js';

const RUNS = 200;

it('when there should be room is right within a factor of two for steps of any length, from when the second has ended', () => {
  const reached = { early: 0, sure: 0 };
  const scenario = fc.record({
    sinceMs: fc.integer({ min: 0, max: 100_000 }),
    stepMs: fc.integer({ min: 2, max: 400 }),
    phase: fc.double({ min: 0, max: 0.99, noNaN: true }),
    numRunning: fc.integer({ min: 1, max: 64 }),
    tokensLeft: fc.integer({ min: 1, max: 2000 }),
    numSteps: fc.integer({ min: 1, max: 200 }),
    /** Part of a step between the last and the question. */
    late: fc.double({ min: 0, max: 0.99, noNaN: true }),
  });
  fc.assert(
    fc.property(scenario, ({ sinceMs, stepMs, phase, numRunning, tokensLeft, numSteps, late }) => {
      const drain = new DrainRate();
      drain.restart(sinceMs);
      const first = sinceMs + stepMs * (1 - phase);
      for (let step = 0; step < numSteps; step++) drain.generated(numRunning, first + step * stepMs);
      const now = first + (numSteps - 1 + late) * stepMs;
      reached[now - sinceMs < 250 ? 'early' : 'sure']++;
      const got = drain.retryAfterMs({ numPlaces: 1, leastTokensLeft: tokensLeft, numRunning }, now);
      const truth = tokensLeft * stepMs;
      expect(got).toBeLessThanOrEqual(Math.ceil(Math.max(1000, 2 * truth)));
      // At most ten times as far ahead as there was time to measure.
      const ahead = Math.max(1000, 10 * Math.min(9750, now - sinceMs));
      if (numSteps > 1) expect(got).toBeGreaterThanOrEqual(Math.min(60_000, ahead, truth / 2));
    }),
    fcParameters(RUNS),
  );
  expectReached(reached, { early: 0.02, sure: 0.3 }, RUNS);
});
