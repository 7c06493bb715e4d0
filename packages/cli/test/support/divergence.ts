import type { LLM } from '@kvasir/engine';
import { type Goldens, goldenDivergence } from '@kvasir/testing';

/** Alternatives a position that a model must be loaded with (`maxLogprobs`) to be measured. */
export const DIVERGENCE_LOGPROBS = 512;

/** How far a model is from the oracle. */
export interface Divergence {
  /** Mean over positions of KL(oracle || model). */
  readonly mean: number;
  readonly numPositions: number;
  /** Share of positions whose likeliest token is the oracle's. */
  readonly sameTop: number;
}

/** Compares a loaded model with the golden texts, position by position. */
export async function measureDivergence(llm: LLM, goldens: Goldens): Promise<Divergence> {
  const divergences: number[] = [];
  let sameTop = 0;
  for (const golden of goldens.score) {
    const count = DIVERGENCE_LOGPROBS;
    const params = { maxTokens: 1, temperature: 0, promptLogprobs: count, logprobs: count };
    for await (const delta of llm.stream(golden.ids, params)) {
      const positions = [...(delta.promptLogprobs?.slice(1) ?? []), ...(delta.logprobs ?? [])];
      for (const [i, position] of positions.entries()) {
        if (position === undefined) continue;
        const own = new Map([position.chosen, ...position.top].map((each) => [each.tokenId, each.logprob]));
        const floor = position.top.at(-1)?.logprob as number;
        const oracle = golden.top64[i] ?? [];
        divergences.push(goldenDivergence(oracle, (id) => own.get(id) ?? floor));
        if (position.top[0]?.tokenId === oracle[0]?.[0]) sameTop++;
      }
    }
  }
  const mean = divergences.reduce((sum, value) => sum + value, 0) / divergences.length;
  return { mean, numPositions: divergences.length, sameTop: sameTop / divergences.length };
}
