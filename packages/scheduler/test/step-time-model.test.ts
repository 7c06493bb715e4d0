import { fcParameters, seededRandom } from '@kvasir/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StepTimeModel, type StepWork } from '../src/step-time-model.js';

/** A machine whose steps take what it says. */
interface Machine {
  readonly t0: number;
  readonly token: number;
  readonly context: number;
  readonly pair: number;
}
const machine = fc.record({
  t0: fc.double({ min: 0.5, max: 20, noNaN: true }),
  token: fc.double({ min: 0.01, max: 2, noNaN: true }),
  context: fc.double({ min: 1e-5, max: 1e-3, noNaN: true }),
  pair: fc.double({ min: 1e-6, max: 2e-4, noNaN: true }),
});
const timeOf = ({ t0, token, context, pair }: Machine, { numTokens, decodeContext, prefillPairs }: StepWork) =>
  t0 + token * numTokens + context * decodeContext + pair * prefillPairs;

/** Rows that decode at `context`, and a chunk of a prompt that stands at `position`. */
const work = (numDecodes: number, context: number, numQuery = 0, position = 0): StepWork => ({
  numTokens: numDecodes + numQuery,
  decodeContext: numDecodes * context,
  prefillPairs: numQuery * position + (numQuery * (numQuery + 1)) / 2,
});

interface Noise {
  readonly seed: number;
  /** Largest relative error. */
  readonly jitter?: number;
  /** How often a step takes thirty times as long. */
  readonly pauses?: number;
}

/** Time of steps on a machine that others use too. */
function noisy(of: Machine, { seed, jitter = 0, pauses = 0 }: Noise): (step: StepWork) => number {
  const random = seededRandom(seed);
  return (step) => timeOf(of, step) * (1 + jitter * (2 * random() - 1)) * (random() < pauses ? 30 : 1);
}

/** Steps of an engine: mostly decode, now and then with a chunk of a prompt. */
function feed(model: StepTimeModel, of: Machine, numSteps: number, noise: Noise): void {
  const random = seededRandom(noise.seed + 1);
  const time = noisy(of, noise);
  for (let i = 0; i < numSteps; i++) {
    const numQuery = random() < 0.3 ? 2 + Math.floor(random() * 256) : 0;
    const step = work(1 + Math.floor(random() * 16), 50 + random() * 2_000, numQuery, random() * 2_000);
    model.observe(step, time(step));
  }
}
const errorAt = (model: StepTimeModel, of: Machine, step: StepWork) =>
  Math.abs(model.predict(step) / timeOf(of, step) - 1);
const PLACES = [work(8, 1_000), work(4, 500, 60, 200), work(4, 500, 60, 1_900), work(0, 0, 200, 100)] as const;

describe('the model of step times', () => {
  it('finds the truth behind noise, and behind pauses thirty times as long as a step', () => {
    fc.assert(
      fc.property(machine, fc.nat(), (of, seed) => {
        const model = new StepTimeModel();
        feed(model, of, 600, { seed, jitter: 0.1, pauses: 0.02 });
        for (const place of PLACES) expect(errorAt(model, of, place)).toBeLessThan(0.2);
      }),
      fcParameters(60),
    );
  });

  it('is exact without noise', () => {
    const of = { t0: 3, token: 0.1, context: 4e-4, pair: 2e-5 };
    const model = new StepTimeModel();
    feed(model, of, 200, { seed: 7 });
    for (const place of PLACES) expect(errorAt(model, of, place)).toBeLessThan(0.001);
    const [t0, token, context, pair] = model.prices;
    expect([t0 / 3, token / 0.1, context / 4e-4, pair / 2e-5].every((ratio) => Math.abs(ratio - 1) < 0.02)).toBe(true);
  });

  it('follows a machine that becomes half as fast, and one that becomes twice as fast', () => {
    fc.assert(
      fc.property(machine, fc.constantFrom(0.5, 2), fc.nat(), ({ t0, token, context, pair }, factor, seed) => {
        const model = new StepTimeModel();
        feed(model, { t0, token, context, pair }, 400, { seed, jitter: 0.05 });
        const later = { t0: factor * t0, token: factor * token, context: factor * context, pair: factor * pair };
        feed(model, later, 800, { seed: seed + 1, jitter: 0.05 });
        for (const place of PLACES) expect(errorAt(model, later, place)).toBeLessThan(0.3);
      }),
      fcParameters(30),
    );
  });

  it('knows what prompts cost after thousands of steps without any', () => {
    fc.assert(
      fc.property(machine, fc.nat(), (of, seed) => {
        const model = new StepTimeModel();
        const noise = { seed, jitter: 0.1, pauses: 0.01 };
        feed(model, of, 300, noise);
        const time = noisy(of, noise);
        for (let i = 0; i < 3_000; i++) model.observe(work(4, 100 + i), time(work(4, 100 + i)));
        // Of decode alone it has seen the last steps only; the rest is what it was.
        expect(errorAt(model, of, work(4, 3_100))).toBeLessThan(0.1);
        for (const position of [0, 1_000]) expect(errorAt(model, of, work(4, 3_100, 100, position))).toBeLessThan(0.25);
      }),
      fcParameters(30),
    );
  });

  it('stays a number over a long stretch of steps that are all alike', () => {
    const model = new StepTimeModel();
    feed(model, { t0: 2, token: 0.2, context: 1e-5, pair: 1e-5 }, 100, { seed: 3, jitter: 0.05 });
    for (let i = 0; i < 100_000; i++) model.observe(work(8, 1_000), 3.68);
    expect(model.predict(work(8, 1_000))).toBeCloseTo(3.68, 1);
    expect(model.predict(work(8, 1_000, 200))).toBeGreaterThan(30);
    expect(model.predict(work(8, 1_000, 200))).toBeLessThan(60);
  });

  it('takes no notice of times that are none', () => {
    const model = new StepTimeModel();
    for (const time of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) model.observe(work(1, 1), time);
    expect(model.numSamples).toBe(0);
  });
});

describe('the tokens that fit into a time', () => {
  it('do, and one more does not', () => {
    fc.assert(
      fc.property(machine, fc.integer({ min: 1, max: 32 }), fc.nat({ max: 2_000 }), (of, numDecodes, position) => {
        const model = new StepTimeModel();
        feed(model, of, 300, { seed: 5 });
        const now = work(numDecodes, 500);
        const target = model.predict(now) + 20 * Math.min(1, of.token);
        const n = model.numTokensWithin(target, now, position);
        const timeWith = (count: number) =>
          model.predict({
            numTokens: numDecodes + count,
            decodeContext: now.decodeContext,
            prefillPairs: count * position + (count * count) / 2,
          });
        expect(timeWith(n)).toBeLessThanOrEqual(target * (1 + 1e-9));
        expect(timeWith(n + 1)).toBeGreaterThan(target * (1 - 1e-9));
      }),
      fcParameters(60),
    );
  });

  it('are unknown before a few steps were seen, none where the time is spent, and twice the most that was seen at the most', () => {
    const model = new StepTimeModel();
    expect(model.numTokensWithin(10, work(1, 1), 0)).toBe(Number.POSITIVE_INFINITY);
    for (let i = 0; i < 20; i++) model.observe(work(4, 10 + i, i === 0 ? 20 : 0), 5);
    expect(model.numTokensWithin(1, work(4, 30), 0)).toBe(0);
    expect(model.numTokensWithin(1_000, work(4, 30), 0)).toBe(48);
  });

  /** A prompt of 2,000 tokens beside streams, from an engine that has seen a few short prompts. @returns Times of its steps. */
  function prefillBeside(model: StepTimeModel, time: (step: StepWork) => number, targetMs: number): number[] {
    const all: number[] = [];
    for (let position = 0, i = 0; position < 2_000; i++) {
      const decodes = work(4, 100 + i);
      const numQuery = Math.min(2_000 - position, Math.max(16, model.numTokensWithin(targetMs, decodes, position)));
      const step = work(4, 100 + i, numQuery, position);
      const ms = time(step);
      all.push(ms);
      model.observe(step, ms);
      position += numQuery;
    }
    return all;
  }

  it('keep steps near the target from the first long prompt on, and leave little of the time unused', () => {
    fc.assert(
      fc.property(
        // A target that leaves a chunk of 30 to 80 tokens, as users choose it.
        fc.record({
          t0: fc.double({ min: 1, max: 10, noNaN: true }),
          share: fc.double({ min: 0.1, max: 0.3, noNaN: true }),
        }),
        fc.double({ min: 2e-4, max: 2e-3, noNaN: true }),
        fc.nat(),
        ({ t0, share }, context, seed) => {
          const of = { t0, token: share, context: context * share, pair: share * 1e-3 };
          const time = noisy(of, { seed, jitter: 0.1 });
          const targetMs = t0 + 60 * share;
          const model = new StepTimeModel();
          for (let stream = 0; stream < 4; stream++) {
            const prompt = work(stream, 40, 40 + stream, 0);
            model.observe(prompt, time(prompt));
            for (let i = 0; i < 5; i++) model.observe(work(stream + 1, 45), time(work(stream + 1, 45)));
          }
          const first = prefillBeside(model, time, targetMs);
          expect(Math.max(...first)).toBeLessThan(1.4 * targetMs);
          for (let i = 0; i < 1_000; i++) model.observe(work(4, 150 + i), time(work(4, 150 + i)));
          const second = prefillBeside(model, time, targetMs);
          expect(Math.max(...second)).toBeLessThan(1.3 * targetMs);
          const middle = second.toSorted((a, b) => a - b)[second.length >> 1]!;
          expect(middle).toBeGreaterThan(0.8 * targetMs);
        },
      ),
      fcParameters(60),
    );
  });
});
