/** Steps before the model is trusted. */
const MIN_SAMPLES = 32;
/** Fits of the first steps, each without what was far off in the one before. */
const NUM_TRIMS = 6;
/** Weight of a sample after one more: about the last 500 steps count. */
const FORGETTING = 0.998;
/** Residuals beyond so many times their usual size are taken for that size: a pause of the machine is no news about steps. */
const OUTLIER = 3;
/** Residuals of this part of the prediction are never cut off. */
const MIN_CUT = 0.05;
/** The three features, brought to about the same size. */
const SCALE = [1, 1 / 100, 1 / 100_000] as const;
const NUM = 3;
/** Uncertainty of a coefficient at the start, and never more later, however little it is exercised. */
const MAX_VARIANCE = 1e4;

/**
 * Time of a step from what it computes, `t = t0 + a * tokens + b * context`, fitted while steps run: recursive least squares
 * (Ljung, "System Identification", section 11.2) that forgets, with residuals cut off as in Huber's estimator.
 *
 * `tokens` are those of the step, `context` the positions that they see, over all of them.
 */
export class StepTimeModel {
  numSamples = 0;
  readonly #theta = new Float64Array(NUM);
  /** Inverse of the information, row by row. */
  readonly #covariance = new Float64Array(NUM * NUM);
  readonly #features = new Float64Array(NUM);
  readonly #gain = new Float64Array(NUM);
  /** Usual size of a residual, in ms. */
  #spread = 0;
  /** Tokens, context and time of the steps before it is ready. */
  readonly #first = new Float64Array(NUM * MIN_SAMPLES);

  /** Whether there were enough steps to go by. */
  get isReady(): boolean {
    return this.numSamples >= MIN_SAMPLES;
  }

  /** Milliseconds of a step; never negative. */
  predict(numTokens: number, numContext: number): number {
    const [t0, a, b] = this.coefficients;
    return t0 + a * numTokens + b * numContext;
  }

  /** `t0` in ms, `a` in ms a token, `b` in ms a position seen. None is negative: more work takes no less time. */
  get coefficients(): [t0: number, a: number, b: number] {
    const at = (i: number) => Math.max(0, this.#theta[i]! * SCALE[i]!);
    return [at(0), at(1), at(2)];
  }

  /** Takes in what a step took. Times that are no positive numbers are passed over. */
  observe(numTokens: number, numContext: number, stepMs: number): void {
    if (!(stepMs > 0) || !Number.isFinite(stepMs)) return;
    if (this.numSamples < MIN_SAMPLES) {
      this.#first.set([numTokens, numContext, stepMs], NUM * this.numSamples++);
      if (this.numSamples === MIN_SAMPLES) this.#fitFirst();
      return;
    }
    this.numSamples++;
    const residual = this.#residual(numTokens, numContext, stepMs);
    const limit = Math.max(OUTLIER * this.#spread, MIN_CUT * (stepMs - residual));
    this.#spread += (Math.min(Math.abs(residual), 2 * limit) - this.#spread) / 16;
    this.#update(Math.max(-limit, Math.min(limit, residual)));
  }

  /**
   * Tokens of a prompt that a step can take beside what it has, within `targetMs`.
   * @param numTokens - What the step has, with the `numContext` positions that it sees.
   * @param position - Where the prompt stands: each of its tokens sees at least so many positions.
   * @returns Infinity while the model is not ready.
   */
  numTokensWithin(targetMs: number, numTokens: number, numContext: number, position: number): number {
    if (!this.isReady) return Number.POSITIVE_INFINITY;
    const [, a, b] = this.coefficients;
    const left = targetMs - this.predict(numTokens, numContext);
    if (left <= 0) return 0;
    // n tokens see n * position + n^2 / 2 positions: the positive root of b/2 n^2 + (a + b * position) n - left.
    const linear = a + b * position;
    const root = Math.sqrt(linear * linear + 2 * b * left);
    return linear + root === 0 ? Number.POSITIVE_INFINITY : Math.floor((2 * left) / (linear + root));
  }

  /** How far a step was from the prediction; its features are left in place. */
  #residual(numTokens: number, numContext: number, stepMs: number): number {
    const x = this.#features;
    x[0] = 1;
    x[1] = numTokens * SCALE[1];
    x[2] = numContext * SCALE[2];
    return stepMs - this.#theta[0]! - this.#theta[1]! * x[1] - this.#theta[2]! * x[2];
  }

  /**
   * The first samples have nothing to be measured against: fitted, and fitted again without the quarter that lies farthest
   * off, a few times (least trimmed squares; Rousseeuw and Van Driessen 2006).
   */
  #fitFirst(): void {
    let limit = Number.POSITIVE_INFINITY;
    for (let round = 0; round < NUM_TRIMS; round++) {
      const sizes = Array.from({ length: MIN_SAMPLES }, (_, i) => Math.abs(this.#residualOfFirst(i)));
      if (round > 0) limit = sizes.toSorted((a, b) => a - b)[(MIN_SAMPLES * 3) >> 2]!;
      this.#forget();
      for (let i = 0; i < MIN_SAMPLES; i++) if (sizes[i]! <= limit) this.#update(this.#residualOfFirst(i));
    }
    this.#spread = limit;
  }

  #residualOfFirst(index: number): number {
    const [numTokens, numContext, stepMs] = this.#first.subarray(NUM * index, NUM * (index + 1));
    return this.#residual(numTokens!, numContext!, stepMs!);
  }

  #forget(): void {
    this.#theta.fill(0);
    this.#covariance.fill(0);
    for (let i = 0; i < NUM; i++) this.#covariance[i * NUM + i] = MAX_VARIANCE;
  }

  #update(residual: number): void {
    const p = this.#covariance;
    const x = this.#features;
    const gain = this.#gain;
    let denominator = FORGETTING;
    for (let i = 0; i < NUM; i++) {
      gain[i] = 0;
      for (let j = 0; j < NUM; j++) gain[i]! += p[i * NUM + j]! * x[j]!;
      denominator += x[i]! * gain[i]!;
    }
    for (let i = 0; i < NUM; i++) this.#theta[i]! += (gain[i]! / denominator) * residual;
    // Symmetric by construction, so rounding cannot make it otherwise.
    for (let i = 0; i < NUM; i++) {
      for (let j = 0; j <= i; j++) {
        const value = p[i * NUM + j]! - (gain[i]! * gain[j]!) / denominator;
        p[i * NUM + j] = value;
        p[j * NUM + i] = value;
      }
    }
    let largest = 0;
    for (let i = 0; i < NUM; i++) largest = Math.max(largest, p[i * NUM + i]!);
    if (largest / FORGETTING > MAX_VARIANCE) return;
    for (let i = 0; i < NUM * NUM; i++) p[i]! /= FORGETTING;
  }
}
