/** What the time of a step depends on. */
export interface StepWork {
  readonly numTokens: number;
  /** Positions that rows of one token look back on, themselves included, summed. */
  readonly decodeContext: number;
  /** Pairs of a token and a position that it sees, in rows of more tokens. */
  readonly prefillPairs: number;
}

/** Prices of a step: `t0` in ms, the others in ms a token, a position and a pair. None is negative: more work takes no less time. */
export type StepPrices = readonly [t0: number, token: number, context: number, pair: number];

/** Steps before the model says anything. */
const MIN_SAMPLES = 4;
/** What is known of steps counts for so much less after one more that is like them: about the last 20 that are alike count. */
const FORGETTING = 0.95;
/** Steps that take longer than predicted by so many times the usual error are taken for that: a pause of the machine is no news. */
const OUTLIER = 3;
/** A step that was faster by as much multiplies the doubt by this: a machine does not err on that side. */
const SURPRISE = 2;
/** Errors of this part of the prediction are never cut off. */
const MIN_CUT = 0.05;
/** A prediction is trusted up to so many times the tokens of the largest step seen. */
const MAX_STRETCH = 2;
/** The four features, brought to about the same size. */
const SCALE = [1, 1e-2, 1e-4, 1e-5] as const;
const NUM = SCALE.length;
/** Uncertainty of a price at the start, and never more later; in units of the error of one step. */
const MAX_VARIANCE = 1e6;

/**
 * Time of a step from what it computes, `t = t0 + a * tokens + b * context`, fitted while steps run. Context has two prices:
 * a token by itself reads all of it from memory, the tokens of a chunk share what they read.
 *
 * Recursive least squares of relative errors, with directional forgetting (Kulhavy and Karny, 1984): a step weakens what is known
 * only of steps like it, so thousands of decode steps leave the price of a prompt's tokens alone. An error counts in full where
 * little is known yet; elsewhere what took far longer than usual is cut off, as in Huber's estimator.
 */
export class StepTimeModel {
  numSamples = 0;
  readonly #theta = new Float64Array(NUM);
  /** Symmetric, row by row. */
  readonly #covariance = new Float64Array(NUM * NUM);
  readonly #features = new Float64Array(NUM);
  readonly #gain = new Float64Array(NUM);
  /** Usual size of a relative error. */
  #spread = 1;
  /** Tokens of the largest step seen. */
  #mostTokens = 0;

  constructor() {
    for (let i = 0; i < NUM; i++) this.#covariance[i * NUM + i] = MAX_VARIANCE;
  }

  /** Whether there were enough steps to go by. */
  get isReady(): boolean {
    return this.numSamples >= MIN_SAMPLES;
  }

  /** What is paid for what. */
  get prices(): StepPrices {
    const at = (i: number) => this.#theta[i]! * SCALE[i]!;
    return [at(0), at(1), at(2), at(3)];
  }

  /** Milliseconds of a step; never negative. */
  predict(work: StepWork): number {
    this.#describe(work);
    return this.#dot(this.#theta, 0);
  }

  /** Takes in what a step took. Times that are no positive numbers are passed over. */
  observe(work: StepWork, stepMs: number): void {
    if (!(stepMs > 0) || !Number.isFinite(stepMs)) return;
    this.numSamples++;
    if (work.numTokens > this.#mostTokens) this.#mostTokens = work.numTokens;
    const predicted = this.predict(work);
    // A prediction that is far off says nothing about how exact a step of this size is.
    const unit = Math.min(stepMs, Math.max(predicted, stepMs / 2));
    for (let i = 0; i < NUM; i++) this.#features[i]! /= unit;
    let leverage = this.#aim();
    const doubt = Math.sqrt(1 + leverage);
    const error = (stepMs - predicted) / unit;
    const limit = doubt * Math.max(OUTLIER * this.#spread, MIN_CUT);
    this.#spread += (Math.min(Math.abs(error), 2 * limit) / doubt - this.#spread) / 16;
    if (error < -limit) leverage = this.#widen(leverage);
    this.#correct(Math.min(error, limit), leverage);
    this.#learn(leverage);
  }

  /**
   * Tokens of a prompt that a step can take beside what it has, within `targetMs`.
   * @param work - What the step has.
   * @param position - Where the prompt stands: each of its tokens sees at least so many positions.
   * @returns Infinity while the model is not ready.
   */
  numTokensWithin(targetMs: number, work: StepWork, position: number): number {
    if (!this.isReady) return Number.POSITIVE_INFINITY;
    const left = targetMs - this.predict(work);
    if (left <= 0) return 0;
    // n tokens see n * position + n^2 / 2 pairs: the positive root of pair/2 n^2 + (token + pair * position) n - left.
    const pair = this.#theta[3]! * SCALE[3];
    const linear = this.#theta[1]! * SCALE[1] + pair * position;
    const root = Math.sqrt(linear * linear + 2 * pair * left);
    return Math.floor(Math.min(MAX_STRETCH * this.#mostTokens, (2 * left) / (linear + root)));
  }

  #describe({ numTokens, decodeContext, prefillPairs }: StepWork): void {
    const x = this.#features;
    x[0] = 1;
    x[1] = numTokens * SCALE[1];
    x[2] = decodeContext * SCALE[2];
    x[3] = prefillPairs * SCALE[3];
  }

  #dot(vector: Float64Array, from: number): number {
    let sum = 0;
    for (let i = 0; i < NUM; i++) sum += vector[from + i]! * this.#features[i]!;
    return sum;
  }

  /** Sets the direction in which an error moves the prices. @returns How little is known of such steps: 0 for all there is to know. */
  #aim(): number {
    for (let i = 0; i < NUM; i++) this.#gain[i] = this.#dot(this.#covariance, i * NUM);
    return this.#dot(this.#gain, 0);
  }

  /** Doubts what is known of steps like this one. @returns How little that is then. */
  #widen(leverage: number): number {
    const p = this.#covariance;
    const gain = this.#gain;
    for (let i = 0; i < NUM; i++) {
      for (let j = 0; j < NUM; j++) p[i * NUM + j]! += ((SURPRISE - 1) * gain[i]! * gain[j]!) / leverage;
    }
    for (let i = 0; i < NUM; i++) gain[i]! *= SURPRISE;
    return SURPRISE * leverage;
  }

  #correct(error: number, leverage: number): void {
    const theta = this.#theta;
    for (let i = 0; i < NUM; i++) theta[i]! += (this.#gain[i]! / (1 + leverage)) * error;
    // A price below 0 is held at 0, and what it gave is asked of the others as the covariance has it.
    for (let i = 0; i < NUM; i++) {
      if (theta[i]! >= 0) continue;
      const share = theta[i]! / this.#covariance[i * NUM + i]!;
      for (let j = 0; j < NUM; j++) theta[j]! -= share * this.#covariance[i * NUM + j]!;
      theta[i] = 0;
    }
    for (let i = 0; i < NUM; i++) if (theta[i]! < 0) theta[i] = 0;
  }

  #learn(leverage: number): void {
    if (leverage === 0) return;
    const p = this.#covariance;
    const weight = FORGETTING - (1 - FORGETTING) / leverage;
    const factor = weight / (FORGETTING * (1 + leverage));
    for (let i = 0; i < NUM; i++) {
      for (let j = 0; j <= i; j++) {
        const value = p[i * NUM + j]! - factor * this.#gain[i]! * this.#gain[j]!;
        p[i * NUM + j] = value;
        p[j * NUM + i] = value;
      }
    }
  }
}
