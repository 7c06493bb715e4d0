const NUM_STEPS = 64;
const MIN_STEPS = 8;
/** Share of the least time that is believed: what else may get faster must not end a request. */
const MARGIN = 0.5;

/** The least time that tokens take to compute, by the fastest of the recent steps. An optimist, so that "cannot be made" means so. */
export class PrefillPace {
  readonly #msPerToken = new Float64Array(NUM_STEPS).fill(Number.POSITIVE_INFINITY);
  #numSteps = 0;

  /** A step of `numTokens` tokens took `ms`. */
  note(numTokens: number, ms: number): void {
    this.#msPerToken[this.#numSteps++ % NUM_STEPS] = ms / Math.max(1, numTokens);
  }

  /** Less than `numTokens` more tokens can take; `undefined` while too few steps have been seen. */
  leastMs(numTokens: number): number | undefined {
    if (this.#numSteps < MIN_STEPS) return undefined;
    return MARGIN * numTokens * this.#msPerToken.reduce((least, each) => Math.min(least, each));
  }
}
