/** One measurement without HTTP. */
export type OfflineWork =
  | { readonly kind: 'prefill'; readonly tokens: number }
  | { readonly kind: 'decode'; readonly batch: number; readonly tokens: number; readonly promptTokens: number };

/** Short name of a measurement, for tables. */
export function workName(work: OfflineWork): string {
  return work.kind === 'prefill'
    ? `prefill ${work.tokens}`
    : `decode ${work.tokens} x ${work.batch} after ${work.promptTokens}`;
}

/** A small deterministic generator (xorshift32), so that every engine gets the same prompts. */
export function createRandom(seed: number): () => number {
  let state = seed >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state / 4294967296;
  };
}

/** `count` prompts of `length` random ids in `[low, high)`; distinct seeds give distinct prompts. */
export function randomPrompts(count: number, length: number, seed: number, low = 1000, high = 40_000): number[][] {
  const random = createRandom(seed);
  return Array.from({ length: count }, () => Array.from({ length }, () => low + Math.floor(random() * (high - low))));
}

const WORDS = (
  'river harbour clock window paper engine winter garden copper letter market signal bridge morning teacher ' +
  'island castle forest kitchen planet rocket silver thunder village wagon yellow anchor basket candle desert'
).split(' ');

/** A user message of about `numWords` words that no other index shares. */
export function distinctMessage(index: number, numWords: number): string {
  const random = createRandom(7919 * (index + 1));
  const words = Array.from({ length: numWords }, () => WORDS[Math.floor(random() * WORDS.length)]);
  return `Note ${index}: write about ${words.join(' ')}.`;
}
