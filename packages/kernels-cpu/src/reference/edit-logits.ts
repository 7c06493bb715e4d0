import type { Slot } from './slot.js';

/** What sampling knows of a slot. */
export type SampledSlot = Pick<Slot, 'sampling' | 'history' | 'promptLength'>;

/** Tokens that cannot follow: not allowed, the end of a bad word, or an end before `minLength`. */
export function impossibleTokens(slot: SampledSlot, vocabSize: number, eosTokenIds: readonly number[]): Set<number> {
  const { allowedIds, badWords, minLength, stopIds } = slot.sampling;
  const impossible = new Set<number>();
  if (allowedIds.length > 0) {
    for (let id = 0; id < vocabSize; id++) impossible.add(id);
    for (const id of allowedIds) impossible.delete(id);
  }
  const output = slot.history.slice(slot.promptLength);
  for (const word of badWords) {
    const head = word.slice(0, -1);
    const end = output.slice(output.length - head.length);
    if (head.length <= output.length && head.every((id, i) => id === end[i])) impossible.add(word.at(-1)!);
  }
  if (slot.history.length < minLength) for (const id of [...eosTokenIds, ...stopIds]) impossible.add(id);
  return impossible;
}

/** Logits with biases and penalties; -inf where `impossible` or not a number. */
export function editLogits(logits: Float64Array, slot: SampledSlot, impossible: ReadonlySet<number>): Float64Array {
  const { sampling, history, promptLength } = slot;
  const edited = logits.map((logit, id) =>
    impossible.has(id) || Number.isNaN(logit) ? Number.NEGATIVE_INFINITY : logit + (sampling.logitBias.get(id) ?? 0),
  );
  const counts = new Map<number, number>();
  for (const [index, id] of history.entries()) counts.set(id, (counts.get(id) ?? 0) + (index < promptLength ? 0 : 1));
  for (const [id, count] of counts) {
    const logit = edited[id]!;
    const repeated = logit > 0 ? logit / sampling.repetitionPenalty : logit * sampling.repetitionPenalty;
    edited[id] = repeated - sampling.frequencyPenalty * count - (count > 0 ? sampling.presencePenalty : 0);
  }
  return edited;
}
