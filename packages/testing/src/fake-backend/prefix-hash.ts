/** Hash of the empty prefix. */
export const EMPTY_PREFIX = 0x811c9dc5;

/** Hash of a prefix and the token after it: 32 bits, every bit of both counts. */
export function extendPrefix(prefix: number, tokenId: number): number {
  return scramble(Math.imul(prefix ^ (tokenId + 0x9e3779b9), 0x85ebca6b));
}

/** Mixes the bits of a word (the MurmurHash3 finaliser). */
export function scramble(word: number): number {
  let x = word;
  x ^= x >>> 16;
  x = Math.imul(x, 0x85ebca6b);
  x ^= x >>> 13;
  x = Math.imul(x, 0xc2b2ae35);
  x ^= x >>> 16;
  return x >>> 0;
}
