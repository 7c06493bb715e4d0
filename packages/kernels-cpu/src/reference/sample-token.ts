import { tokenGumbel } from '@kvasir/interfaces';
import type { SlotSampling } from './slot.js';

/** Natural log of the softmax of `logits`. */
export function logSoftmax(logits: Float64Array): Float64Array {
  const max = logits.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const sum = logits.reduce((total, logit) => total + Math.exp(logit - max), 0);
  return logits.map((logit) => logit - max - Math.log(sum));
}

/** Token ids by logit, best first; equal logits by id. */
export function rankTokens(logits: Float64Array): number[] {
  return Array.from(logits.keys()).sort((a, b) => logits[b]! - logits[a]! || a - b);
}

/**
 * Chooses the token for `position`: greedy at temperature 0, else the largest `logit / temperature + gumbel` over the tokens
 * that top-k and then top-p keep.
 * @param impossible - Tokens that cannot be chosen (EOS and stop ids before `minLength`).
 */
export function sampleToken(
  logits: Float64Array,
  sampling: SlotSampling,
  position: number,
  impossible: ReadonlySet<number>,
): number {
  const ranked = rankTokens(logits).filter((id) => !impossible.has(id));
  const { temperature, topK, topP, seed } = sampling;
  if (temperature === 0) return ranked[0]!;
  const kept = keepTopP(topK > 0 ? ranked.slice(0, topK) : ranked, logits, temperature, topP);
  let best = -1;
  let bestScore = Number.NEGATIVE_INFINITY;
  for (const id of kept.sort((a, b) => a - b)) {
    const score = logits[id]! / temperature + tokenGumbel(seed, position, id);
    if (score > bestScore) {
      best = id;
      bestScore = score;
    }
  }
  return best;
}

/** The shortest head of `ranked` whose probability reaches `topP`; never empty. */
function keepTopP(ranked: readonly number[], logits: Float64Array, temperature: number, topP: number): number[] {
  if (topP >= 1) return [...ranked];
  const weights = ranked.map((id) => Math.exp((logits[id]! - logits[ranked[0]!]!) / temperature));
  const total = weights.reduce((a, b) => a + b, 0);
  let mass = 0;
  for (const [index, weight] of weights.entries()) {
    mass += weight;
    if (mass >= topP * total) return ranked.slice(0, index + 1);
  }
  return [...ranked];
}
