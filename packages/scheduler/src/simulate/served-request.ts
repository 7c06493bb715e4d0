/** What a simulation knows of one request that was served. Times in milliseconds since the trace began. */
export interface ServedRequest {
  readonly arrivalMs: number;
  readonly promptLength: number;
  readonly cachedTokens: number;
  /** Of each output token, in order. */
  readonly tokenMs: readonly number[];
  readonly tenant: string | undefined;
}

/** The state after one step. */
export interface StepPoint {
  readonly atMs: number;
  readonly numRunning: number;
  readonly numWaiting: number;
  /** Tokens that running sequences have in the cache; one that several share counts for each. */
  readonly storedTokens: number;
  /** Tokens that the blocks held by running sequences have room for. */
  readonly heldTokens: number;
}

/** A simulated run. */
export interface Simulation {
  readonly requests: readonly ServedRequest[];
  readonly steps: readonly StepPoint[];
  readonly numPreemptions: number;
  /** Tokens run through the model, those computed again after a preemption and padding included. */
  readonly computedTokens: number;
}
