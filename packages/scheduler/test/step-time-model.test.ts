import { fcParameters, seededRandom } from '@kvasir/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StepTimeModel } from '../src/step-time-model.js';

interface Truth {
  readonly t0: number;
  readonly a: number;
  readonly b: number;
}
const truth = fc.record({
  t0: fc.double({ min: 0.5, max: 20, noNaN: true }),
  a: fc.double({ min: 0.01, max: 2, noNaN: true }),
  b: fc.double({ min: 1e-6, max: 2e-4, noNaN: true }),
});
const timeOf = ({ t0, a, b }: Truth, numTokens: number, context: number) => t0 + a * numTokens + b * context;

/** Steps of an engine: mostly decode, now and then with a chunk of a prompt. */
function feed(model: StepTimeModel, of: Truth, numSteps: number, seed: number, noise: number, outliers = 0): void {
  const random = seededRandom(seed);
  for (let i = 0; i < numSteps; i++) {
    const numTokens = 1 + Math.floor(random() * 16) + (random() < 0.3 ? Math.floor(random() * 256) : 0);
    const context = numTokens * (50 + random() * 2_000);
    const factor = 1 + noise * (2 * random() - 1);
    const pause = random() < outliers ? 30 : 1;
    model.observe(numTokens, context, timeOf(of, numTokens, context) * factor * pause);
  }
}
const errorAt = (model: StepTimeModel, of: Truth, numTokens: number, context: number) =>
  Math.abs(model.predict(numTokens, context) / timeOf(of, numTokens, context) - 1);
const PLACES = [
  [8, 8_000],
  [64, 40_000],
  [200, 100_000],
] as const;

describe('the model of step times', () => {
  it('finds the truth behind noise, and behind pauses thirty times as long as a step', () => {
    fc.assert(
      fc.property(truth, fc.nat(), (of, seed) => {
        const model = new StepTimeModel();
        feed(model, of, 600, seed, 0.1, 0.02);
        for (const [numTokens, context] of PLACES) expect(errorAt(model, of, numTokens, context)).toBeLessThan(0.2);
      }),
      fcParameters(60),
    );
  });

  it('is exact without noise', () => {
    const of = { t0: 3, a: 0.1, b: 2e-5 };
    const model = new StepTimeModel();
    feed(model, of, 200, 7, 0);
    for (const [numTokens, context] of PLACES) expect(errorAt(model, of, numTokens, context)).toBeLessThan(0.001);
    const [t0, a, b] = model.coefficients;
    expect([t0 / 3, a / 0.1, b / 2e-5].every((ratio) => Math.abs(ratio - 1) < 0.02)).toBe(true);
  });

  it('follows a machine that becomes half as fast', () => {
    fc.assert(
      fc.property(truth, fc.nat(), (of, seed) => {
        const model = new StepTimeModel();
        feed(model, of, 400, seed, 0.05);
        const slower = { t0: 2 * of.t0, a: 2 * of.a, b: 2 * of.b };
        feed(model, slower, 800, seed + 1, 0.05);
        for (const [numTokens, context] of PLACES) expect(errorAt(model, slower, numTokens, context)).toBeLessThan(0.2);
      }),
      fcParameters(30),
    );
  });

  it('stays a number over a long stretch of steps that are all alike', () => {
    const model = new StepTimeModel();
    feed(model, { t0: 2, a: 0.2, b: 1e-5 }, 100, 3, 0.05);
    for (let i = 0; i < 10_000; i++) model.observe(8, 8_000, 3.68);
    expect(model.predict(8, 8_000)).toBeCloseTo(3.68, 1);
    expect(model.predict(200, 100_000)).toBeGreaterThan(3.68);
    expect(Number.isFinite(model.predict(200, 100_000))).toBe(true);
  });

  it('takes no notice of times that are none', () => {
    const model = new StepTimeModel();
    for (const time of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) model.observe(1, 1, time);
    expect(model.numSamples).toBe(0);
  });

  it('says how many tokens fit into a time: that many do, one more does not', () => {
    fc.assert(
      fc.property(truth, fc.integer({ min: 1, max: 32 }), fc.nat({ max: 2_000 }), (of, numDecodes, position) => {
        const model = new StepTimeModel();
        feed(model, of, 300, 5, 0);
        const context = numDecodes * 500;
        const target = model.predict(numDecodes, context) + 20;
        const n = model.numTokensWithin(target, numDecodes, context, position);
        const timeWith = (count: number) =>
          model.predict(numDecodes + count, context + count * position + (count * count) / 2);
        expect(timeWith(n)).toBeLessThanOrEqual(target * (1 + 1e-9));
        expect(timeWith(n + 1)).toBeGreaterThan(target * (1 - 1e-9));
      }),
      fcParameters(60),
    );
  });

  it('says nothing before it has seen enough, and no tokens where the time is spent', () => {
    const model = new StepTimeModel();
    expect(model.numTokensWithin(10, 1, 1, 0)).toBe(Number.POSITIVE_INFINITY);
    feed(model, { t0: 30, a: 0.1, b: 1e-5 }, 100, 1, 0);
    expect(model.numTokensWithin(10, 1, 1, 0)).toBe(0);
  });
});
