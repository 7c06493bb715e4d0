import type { BlockHash } from '@kvasir/interfaces';
import { DIGEST_WORDS } from './hash-chain.js';

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));
const PATTERN = /^[0-9a-f]{64}$/;

/** The digest at `words[at ..]` as its bytes are written elsewhere. */
export function digestText(words: Int32Array, at: number): BlockHash {
  let text = '';
  for (let i = at; i < at + DIGEST_WORDS; i++) {
    const word = words[i]!;
    text += HEX[word & 0xff]! + HEX[(word >>> 8) & 0xff]! + HEX[(word >>> 16) & 0xff]! + HEX[word >>> 24]!;
  }
  return text;
}

/** @returns The digest's words; `null` for what is not a digest. */
export function parseDigest(text: string): Int32Array | null {
  if (!PATTERN.test(text)) return null;
  const words = new Int32Array(DIGEST_WORDS);
  for (let byte = 0; byte < 4 * DIGEST_WORDS; byte++) {
    words[byte >> 2]! |= Number.parseInt(text.slice(2 * byte, 2 * byte + 2), 16) << (8 * (byte & 3));
  }
  return words;
}
