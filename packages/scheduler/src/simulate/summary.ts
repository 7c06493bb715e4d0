import type { Simulation } from './served-request.js';

/** Percentiles in milliseconds. */
export interface Percentiles {
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
}

/** A simulation, or a run that was recorded like one, in figures. */
export interface SimulationSummary {
  readonly numRequests: number;
  readonly outputTokens: number;
  /** From the first arrival to the last token. */
  readonly durationMs: number;
  readonly requestsPerSecond: number;
  readonly outputTokensPerSecond: number;
  /** Arrival to first token. */
  readonly ttft: Percentiles;
  /** From a token to the next one of its request. */
  readonly itl: Percentiles;
  /** Arrival to last token. */
  readonly e2e: Percentiles;
  /** Prompt tokens that were found in the cache. */
  readonly hitRate: number;
  readonly numPreemptions: number;
  /** Sequences side by side, averaged over time, and the most. */
  readonly meanRunning: number;
  readonly mostRunning: number;
  /** Part of the held memory that holds no token, averaged over time. */
  readonly waste: number;
  /** Tokens run through the model for each that had to be: above 1 by padding and by computing again. */
  readonly computedShare: number;
}

/** Reduces a simulation to figures. */
export function summarize({ requests, steps, numPreemptions, computedTokens }: Simulation): SimulationSummary {
  const firstArrival = Math.min(...requests.map(({ arrivalMs }) => arrivalMs));
  const durationMs = Math.max(...requests.map(({ tokenMs }) => tokenMs.at(-1)!)) - firstArrival;
  const outputTokens = sum(requests.map(({ tokenMs }) => tokenMs.length));
  const promptTokens = sum(requests.map(({ promptLength }) => promptLength));
  const cachedTokens = sum(requests.map((request) => request.cachedTokens));
  // The last token of each is sampled and never computed.
  const neededTokens = promptTokens - cachedTokens + outputTokens - requests.length;
  const over = overTime(steps);
  return {
    numRequests: requests.length,
    outputTokens,
    durationMs,
    requestsPerSecond: (1000 * requests.length) / durationMs,
    outputTokensPerSecond: (1000 * outputTokens) / durationMs,
    ttft: percentiles(requests.map(({ arrivalMs, tokenMs }) => tokenMs[0]! - arrivalMs)),
    itl: percentiles(requests.flatMap(({ tokenMs }) => tokenMs.slice(1).map((time, i) => time - tokenMs[i]!))),
    e2e: percentiles(requests.map(({ arrivalMs, tokenMs }) => tokenMs.at(-1)! - arrivalMs)),
    hitRate: cachedTokens / promptTokens,
    numPreemptions,
    meanRunning: over(({ numRunning }) => numRunning),
    mostRunning: Math.max(...steps.map(({ numRunning }) => numRunning)),
    waste: Math.max(0, 1 - over(({ storedTokens }) => storedTokens) / over(({ heldTokens }) => heldTokens)),
    computedShare: computedTokens / neededTokens,
  };
}

/** Averages over the time that steps took. */
function overTime(steps: Simulation['steps']): (pick: (step: Simulation['steps'][number]) => number) => number {
  return (pick) => {
    let total = 0;
    let weight = 0;
    for (let i = 1; i < steps.length; i++) {
      const ms = steps[i]!.atMs - steps[i - 1]!.atMs;
      total += ms * pick(steps[i]!);
      weight += ms;
    }
    return weight === 0 ? pick(steps[0]!) : total / weight;
  };
}

/** Nearest rank; zeros for an empty list. */
function percentiles(values: number[]): Percentiles {
  const sorted = Float64Array.from(values).sort();
  const at = (q: number) => sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? 0;
  return { p50: at(0.5), p90: at(0.9), p99: at(0.99) };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
