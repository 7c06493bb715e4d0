import { InvalidArgumentError } from '@kvasir/interfaces';
import type { StepShape, StepTime } from './step-shape.js';

/** One step that was run. */
export interface StepSample {
  readonly shape: StepShape;
  readonly ms: number;
}

/** A fitted model: non-negative coefficients in milliseconds, and how well it fits. */
export interface FittedStepTime {
  readonly coefficients: Readonly<Record<string, number>>;
  /** Median of |prediction / measurement - 1| over the samples. */
  readonly medianError: number;
  readonly stepTime: StepTime;
}

/** Borders between which the time of one more token is constant: vector kernels, small and large tiles. */
const TOKEN_BORDERS = [1, 4, 16, 64, 192] as const;

/** A step counts for at most so many times its like. */
const LONGEST_PAUSE = 3;

const NAMES = [
  'step',
  ...TOKEN_BORDERS.map((border) => `tokenAfter${border}`),
  'output',
  'decodeContext',
  'prefillPair',
];

/**
 * Step time from prices in milliseconds, as {@link fitStepTime} finds them: `step`, `tokenAfterN` for each token beyond N
 * up to the next border, `output`, `decodeContext` for each cached token looked back on, `prefillPair`.
 * @throws `InvalidArgumentError` For a price that is missing, unknown, negative or not finite.
 */
export function pricedStepTime(prices: Readonly<Record<string, number>>): StepTime {
  for (const name of new Set([...NAMES, ...Object.keys(prices)])) {
    const price = prices[name];
    if (NAMES.includes(name) && typeof price === 'number' && price >= 0 && Number.isFinite(price)) continue;
    throw new InvalidArgumentError(
      'prices',
      `price '${name}' is ${JSON.stringify(price)}: expected milliseconds from 0 for each of ${NAMES.join(', ')}`,
    );
  }
  const vector = Float64Array.from(NAMES, (name) => prices[name] as number);
  return (shape) => dot(featuresOf(shape), vector);
}

/**
 * Fits step times to measured steps: a fixed part, a price a token that changes at fixed borders, and prices for outputs
 * and for looking back. Prices are never negative, so time never falls as work grows. Errors count relative to the step;
 * steps that took far longer than their like (a busy neighbour) lose weight. The sum over all steps is kept, so that small
 * pauses are paid for; of one that lasts many steps only so much that a single one does not make all steps dear.
 * @throws `InvalidArgumentError` When there are fewer samples than prices.
 */
export function fitStepTime(samples: readonly StepSample[]): FittedStepTime {
  if (samples.length < NAMES.length) {
    throw new InvalidArgumentError(
      'samples',
      `${samples.length} steps are too few to fit ${NAMES.length} prices: run a longer load`,
    );
  }
  const rows = samples.map(({ shape, ms }) => ({ features: featuresOf(shape), ms }));
  let weights = rows.map(() => 1);
  let prices = new Float64Array(NAMES.length);
  for (let pass = 0; pass < 3; pass++) {
    prices = solve(rows, weights);
    // Huber's weights at a quarter of the step.
    weights = rows.map(({ features, ms }) =>
      Math.min(1, 0.25 / Math.max(1e-9, Math.abs(dot(features, prices) / ms - 1))),
    );
  }
  const predictions = rows.map(({ features }) => dot(features, prices));
  const measured = rows.reduce((sum, { ms }, i) => sum + Math.min(ms, LONGEST_PAUSE * (predictions[i] as number)), 0);
  const predicted = predictions.reduce((sum, ms) => sum + ms, 0);
  const scaled = prices.map((price) => (price * measured) / predicted);
  const errors = rows.map(({ features, ms }) => Math.abs(dot(features, scaled) / ms - 1)).sort((a, b) => a - b);
  return {
    coefficients: Object.fromEntries(NAMES.map((name, i) => [name, scaled[i] as number])),
    medianError: errors[errors.length >> 1] as number,
    stepTime: (shape) => dot(featuresOf(shape), scaled),
  };
}

function featuresOf({ numTokens, numOutputs, decodeContext, prefillPairs }: StepShape): Float64Array {
  const ramps = TOKEN_BORDERS.map((from, i) => {
    const to = TOKEN_BORDERS[i + 1] ?? Number.POSITIVE_INFINITY;
    return Math.max(0, Math.min(numTokens, to) - from);
  });
  return Float64Array.from([1, ...ramps, numOutputs, decodeContext, prefillPairs]);
}

/** Non-negative least squares of relative errors, by coordinate descent on the normal equations. */
function solve(
  rows: readonly { readonly features: Float64Array; readonly ms: number }[],
  weights: readonly number[],
): Float64Array<ArrayBuffer> {
  const size = NAMES.length;
  const normal = new Float64Array(size * size);
  const target = new Float64Array(size);
  rows.forEach(({ features, ms }, index) => {
    const weight = (weights[index] as number) / (ms * ms);
    for (let i = 0; i < size; i++) {
      const scaled = weight * (features[i] as number);
      target[i]! += scaled * ms;
      for (let j = 0; j < size; j++) normal[i * size + j]! += scaled * (features[j] as number);
    }
  });
  const prices = new Float64Array(size);
  for (let sweep = 0; sweep < 2000; sweep++) {
    let change = 0;
    for (let i = 0; i < size; i++) {
      const diagonal = normal[i * size + i] as number;
      if (diagonal === 0) continue;
      let gradient = target[i] as number;
      for (let j = 0; j < size; j++) gradient -= (normal[i * size + j] as number) * (prices[j] as number);
      const next = Math.max(0, (prices[i] as number) + gradient / diagonal);
      change = Math.max(change, Math.abs(next - (prices[i] as number)) * Math.sqrt(diagonal));
      prices[i] = next;
    }
    if (change < 1e-9 * Math.sqrt(rows.length)) break;
  }
  return prices;
}

function dot(features: Float64Array, prices: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < features.length; i++) sum += (features[i] as number) * (prices[i] as number);
  return sum;
}
