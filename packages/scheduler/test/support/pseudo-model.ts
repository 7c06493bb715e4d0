/** End-of-sequence token of the pseudo model. */
export const EOS = 0;

/** A model without weights: the next token is a hash of everything before it. */
export function nextToken(history: ArrayLike<number>, length: number): number {
  let state = 0x811c9dc5;
  for (let i = 0; i < length; i++) state = Math.imul(state ^ (history[i]! + 1), 0x01000193);
  state ^= state >>> 15;
  return Math.abs(state) % 16;
}

/** What any correct run of the model ends with: prompt and output. */
export function completeAlone(promptTokenIds: ArrayLike<number>, maxLength: number): number[] {
  const tokens = Array.from(promptTokenIds);
  while (tokens.length < maxLength) {
    tokens.push(nextToken(tokens, tokens.length));
    if (tokens.at(-1) === EOS) break;
  }
  return tokens;
}
