const WINDOW_MS = 10_000;
const NUM_BUCKETS = 40;
const BUCKET_MS = WINDOW_MS / NUM_BUCKETS;
const MIN_RETRY_MS = 100;
const MAX_RETRY_MS = 60_000;
/** When nothing was measured: a model that has just been loaded, or hangs. */
const UNKNOWN_RETRY_MS = 1000;
/** What was measured for less says little: one step may be all of it. */
const TRUSTED_MS = 250;
/** Coming back too early costs one more refusal, too late the time that nobody used. */
const MAX_AHEAD = 10;

/** What {@link DrainRate.retryAfterMs} is asked about. */
export interface QueueDemand {
  /** Places that must become free. */
  readonly numPlaces: number;
  /** Least number of tokens that a running sequence may still take; `undefined` when none runs. */
  readonly leastTokensLeft: number | undefined;
  readonly numRunning: number;
}

/** How fast requests and tokens are finished, over the last {@link WINDOW_MS} or since the queue was last empty. */
export class DrainRate {
  readonly #places = new Float64Array(NUM_BUCKETS);
  readonly #tokens = new Float64Array(NUM_BUCKETS);
  #bucket = 0;
  #sinceMs = 0;

  /** The queue was empty and is not any more: what was before tells nothing of how it drains. */
  restart(now: number): void {
    this.#advance(now);
    this.#places.fill(0);
    this.#tokens.fill(0);
    this.#sinceMs = now;
  }

  /** Requests ended that had taken this many places. */
  finished(numPlaces: number, now: number): void {
    this.#advance(now);
    this.#places[this.#bucket % NUM_BUCKETS]! += numPlaces;
  }

  /** Tokens were generated. */
  generated(numTokens: number, now: number): void {
    this.#advance(now);
    this.#tokens[this.#bucket % NUM_BUCKETS]! += numTokens;
  }

  /**
   * When there should be room: by the rate of places, else, while nothing has finished yet, by when the first running sequence will at
   * the rate of tokens, else a second. Within 0.1 s and a minute; no further ahead than {@link MAX_AHEAD} times what it was measured over,
   * as the first steps of a process are slow; and not under a second by what was measured in less than {@link TRUSTED_MS}, as the first
   * step to end may have begun long before the queue did.
   */
  retryAfterMs({ numPlaces, leastTokensLeft, numRunning }: QueueDemand, now: number): number {
    this.#advance(now);
    const measuredMs = now - Math.max(this.#sinceMs, (this.#bucket - NUM_BUCKETS + 1) * BUCKET_MS);
    const placesPerMs = sum(this.#places) / measuredMs;
    const tokensPerMs = sum(this.#tokens) / measuredMs;
    let ms = UNKNOWN_RETRY_MS;
    if (placesPerMs > 0) ms = numPlaces / placesPerMs;
    else if (tokensPerMs > 0 && leastTokensLeft !== undefined) ms = (leastTokensLeft * numRunning) / tokensPerMs;
    const leastMs = measuredMs < TRUSTED_MS ? UNKNOWN_RETRY_MS : MIN_RETRY_MS;
    const mostMs = Math.min(MAX_RETRY_MS, Math.max(UNKNOWN_RETRY_MS, MAX_AHEAD * measuredMs));
    return Math.ceil(Math.min(mostMs, Math.max(leastMs, ms)));
  }

  /** Clears the buckets that time has passed over. */
  #advance(now: number): void {
    const bucket = Math.floor(now / BUCKET_MS);
    for (let i = Math.max(this.#bucket + 1, bucket - NUM_BUCKETS + 1); i <= bucket; i++) {
      this.#places[i % NUM_BUCKETS] = 0;
      this.#tokens[i % NUM_BUCKETS] = 0;
    }
    this.#bucket = Math.max(this.#bucket, bucket);
  }
}

function sum(values: Float64Array): number {
  return values.reduce((total, each) => total + each, 0);
}
