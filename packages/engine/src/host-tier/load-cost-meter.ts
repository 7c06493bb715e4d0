import { type LoadCosts, whenCheaperThanComputing } from '@kvasir/block-manager';
import type { EngineObserver, StepRecord } from '../observer.js';

/** Weight of a new measurement. */
const SMOOTHING = 0.1;
/** Steps of fewer tokens say more of what a step costs than of what a token costs. */
const MIN_TOKENS = 16;

/**
 * What loading a block from the host tier takes and what computing a token takes, as running steps show.
 *
 * A block starts at what a copy of its size took when the model was loaded. Steps that load nothing give the time a token;
 * what a step with loads takes beyond its tokens is its loads'.
 */
export class LoadCostMeter implements EngineObserver {
  /** For the host tier of a KV cache manager. */
  readonly isWorthLoading = whenCheaperThanComputing(() => this.costs);
  #msPerBlock: number;
  #msPerToken: number | undefined;

  /** @param copyMs - A copy of one block in memory. */
  constructor(copyMs: number) {
    this.#msPerBlock = copyMs;
  }

  /** Until a step of a prompt was seen a load is taken to be worth it. */
  get costs(): LoadCosts {
    return { msPerBlock: this.#msPerBlock, msPerToken: this.#msPerToken ?? Number.POSITIVE_INFINITY };
  }

  onStep({ numTokens, computeMs, numLoadedBlocks }: StepRecord): void {
    if (numLoadedBlocks === 0) {
      if (numTokens < MIN_TOKENS) return;
      this.#msPerToken = smooth(this.#msPerToken, computeMs / numTokens);
    } else if (this.#msPerToken !== undefined) {
      const restMs = Math.max(0, computeMs - numTokens * this.#msPerToken);
      this.#msPerBlock = smooth(this.#msPerBlock, restMs / numLoadedBlocks);
    }
  }
}

function smooth(before: number | undefined, now: number): number {
  return before === undefined ? now : before + SMOOTHING * (now - before);
}

const MEASURED_BYTES = 8 * 2 ** 20;

/** Milliseconds that a copy of `bytes` takes in memory, over some megabytes. */
export function measureCopyMs(bytes: number): number {
  const numCopies = Math.max(1, Math.ceil(MEASURED_BYTES / Math.max(1, bytes)));
  const source = new Uint8Array(numCopies * bytes).fill(1);
  const target = new Uint8Array(numCopies * bytes);
  target.fill(2);
  const startMs = performance.now();
  for (let i = 0; i < numCopies; i++) target.set(source.subarray(i * bytes, (i + 1) * bytes), i * bytes);
  return (performance.now() - startMs) / numCopies;
}
