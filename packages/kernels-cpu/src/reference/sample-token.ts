import { tokenGumbel } from '@kvasir/interfaces';
import { editLogits, impossibleTokens, type SampledSlot } from './edit-logits.js';

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
 * Chooses the token after the slot's history, in the order that `OUTPUT_KIND` of the step batch describes.
 * @param logits - As the model gave them.
 */
export function sampleToken(logits: Float64Array, slot: SampledSlot, eosTokenIds: readonly number[]): number {
  const impossible = impossibleTokens(slot, logits.length, eosTokenIds);
  const edited = editLogits(logits, slot, impossible);
  const possible = rankTokens(edited).filter((id) => edited[id]! > Number.NEGATIVE_INFINITY);
  if (possible.length === 0) return lastResort(slot, impossible, logits.length);
  const { temperature, seed } = slot.sampling;
  if (temperature === 0 || edited[possible[0]!] === Number.POSITIVE_INFINITY) return possible[0]!;
  const position = slot.history.length;
  const scaled = edited.map((logit) => logit / temperature);
  let best = -1;
  let bestScore = Number.NEGATIVE_INFINITY;
  for (const id of truncate(possible, scaled, slot).sort((a, b) => a - b)) {
    const score = scaled[id]! + tokenGumbel(seed, position, id);
    if (score > bestScore) {
      best = id;
      bestScore = score;
    }
  }
  return best;
}

/** Where no logit is above -inf: the lowest id that nothing forbids, else the lowest allowed one. */
function lastResort({ sampling }: SampledSlot, impossible: ReadonlySet<number>, vocabSize: number): number {
  for (let id = 0; id < vocabSize; id++) if (!impossible.has(id)) return id;
  return sampling.allowedIds.length === 0 ? 0 : Math.min(...sampling.allowedIds);
}

/** What min-p, top-k, top-p and typical-p keep of `ranked`, each of what the one before kept; never empty. */
function truncate(ranked: readonly number[], scaled: Float64Array, { sampling }: SampledSlot): number[] {
  const { minP, topK, topP, typicalP } = sampling;
  const floor = scaled[ranked[0]!]! + Math.log(minP);
  const likely = ranked.filter((id, index) => index === 0 || scaled[id]! >= floor);
  const first = topK > 0 ? likely.slice(0, topK) : likely;
  return keepTypical(topP < 1 ? keepMass(first, scaled, topP) : first, scaled, typicalP);
}

/** Weights of tokens, in proportion to their probabilities. */
function weigh(ids: readonly number[], scaled: Float64Array): number[] {
  const most = ids.reduce((max, id) => Math.max(max, scaled[id]!), Number.NEGATIVE_INFINITY);
  return ids.map((id) => Math.exp(scaled[id]! - most));
}

/** The shortest head of `ids` that holds `share` of their probability. */
function keepMass(ids: readonly number[], scaled: Float64Array, share: number): number[] {
  const weights = weigh(ids, scaled);
  const total = weights.reduce((a, b) => a + b, 0);
  let mass = 0;
  for (const [index, weight] of weights.entries()) {
    mass += weight;
    if (mass >= share * total) return ids.slice(0, index + 1);
  }
  return [...ids];
}

/**
 * Tokens whose surprise is nearest to the entropy, until they hold `share`. The difference of the two is that of the scaled logit and
 * its mean, so that neither logarithm is needed.
 */
function keepTypical(ids: readonly number[], scaled: Float64Array, share: number): number[] {
  if (share >= 1) return [...ids];
  const weights = weigh(ids, scaled);
  const total = weights.reduce((a, b) => a + b, 0);
  const mean = ids.reduce((sum, id, i) => sum + (weights[i]! / total) * scaled[id]!, 0);
  const distance = (id: number) => Math.abs(scaled[id]! - mean);
  const nearest = [...ids].sort((a, b) => distance(a) - distance(b));
  const reach = distance(keepMass(nearest, scaled, share).at(-1)!);
  return ids.filter((id) => distance(id) <= reach);
}
