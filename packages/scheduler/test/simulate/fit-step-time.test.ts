import { fitStepTime, pricedStepTime, Random, type StepShape } from '@kvasir/scheduler/simulate';
import { expect, it } from 'vitest';

/** A machine with a fixed cost, a price a token that falls with size, and prices for looking back. */
function truth({ numTokens, numOutputs, decodeContext, prefillPairs }: StepShape): number {
  const tokens = 0.9 * Math.min(numTokens, 4) + 0.3 * Math.max(0, numTokens - 4);
  return 2 + tokens + 0.05 * numOutputs + 2e-4 * decodeContext + 1e-5 * prefillPairs;
}

function randomShape(random: Random): StepShape {
  const numDecodes = random.integer(1, 32);
  const numPrefill = random.uniform() < 0.3 ? random.integer(1, 480) : 0;
  return {
    numTokens: numDecodes + numPrefill,
    numRows: numDecodes + 1,
    numOutputs: numDecodes,
    decodeContext: numDecodes * random.integer(10, 2000),
    prefillPairs: numPrefill * random.integer(1, 1000),
  };
}

it('finds a machine behind noise and a few very slow steps', () => {
  const random = new Random(4);
  const samples = Array.from({ length: 3000 }, () => {
    const shape = randomShape(random);
    const stall = random.uniform() < 0.02 ? 5 : 1;
    return { shape, ms: truth(shape) * stall * (1 + 0.1 * random.normal()) };
  });
  const { stepTime, medianError, coefficients } = fitStepTime(samples);
  expect(medianError).toBeLessThan(0.15);
  for (const price of Object.values(coefficients)) expect(price).toBeGreaterThanOrEqual(0);
  // Stalls are part of the truth that a sum sees: 2 % of the steps take five times as long.
  const expected = 1 + 0.02 * 4;
  for (let i = 0; i < 200; i++) {
    const shape = randomShape(random);
    expect(stepTime(shape) / truth(shape) / expected).toBeGreaterThan(0.85);
    expect(stepTime(shape) / truth(shape) / expected).toBeLessThan(1.15);
  }
});

it('does not make every step dear for one that stood still', () => {
  const random = new Random(5);
  const samples = Array.from({ length: 500 }, () => {
    const shape = randomShape(random);
    return { shape, ms: truth(shape) };
  });
  samples[77] = { ...samples[77]!, ms: 60_000 };
  const { stepTime } = fitStepTime(samples);
  for (const { shape } of samples) expect(Math.abs(stepTime(shape) / truth(shape) - 1)).toBeLessThan(0.1);
});

it('never predicts less time for more work', () => {
  const random = new Random(6);
  const samples = Array.from({ length: 300 }, () => ({ shape: randomShape(random), ms: 1 + 10 * random.uniform() }));
  const { stepTime } = fitStepTime(samples);
  for (let i = 0; i < 200; i++) {
    const shape = randomShape(random);
    const more = {
      ...shape,
      numTokens: shape.numTokens + random.integer(0, 50),
      decodeContext: shape.decodeContext + 5,
    };
    expect(stepTime(more)).toBeGreaterThanOrEqual(stepTime(shape));
  }
});

it('prices can be written down and read again', () => {
  const random = new Random(8);
  const samples = Array.from({ length: 200 }, () => ({ shape: randomShape(random), ms: 1 + random.uniform() }));
  const { coefficients, stepTime } = fitStepTime(samples);
  const again = pricedStepTime(JSON.parse(JSON.stringify(coefficients)));
  for (const { shape } of samples) expect(again(shape)).toBe(stepTime(shape));
  expect(() => pricedStepTime({ ...coefficients, step: -1 })).toThrow(/price 'step' is -1/);
  expect(() => pricedStepTime({ ...coefficients, extra: 1 })).toThrow(/price 'extra' is 1/);
  expect(() => pricedStepTime({})).toThrow(/price 'step' is undefined/);
});

it('wants enough steps', () => {
  expect(() => fitStepTime([])).toThrow(/0 steps are too few to fit 9 prices/);
});
