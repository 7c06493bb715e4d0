/** 32-bit words of one SHA-256 digest. */
export const DIGEST_WORDS = 8;

const INITIAL_DIGESTS = 8;

/**
 * Digests of one sequence's full blocks. Digest `i` names block `i` and everything before it.
 *
 * ```
 * words [0, 8)            root: what the sequence is keyed by besides its tokens
 * words [8 (i+1), +8)     digest of block i
 * ```
 */
export class HashChain {
  words: Int32Array;
  /** Blocks hashed so far. */
  length = 0;
  /** Others read the same words: they are copied before the next digest is written. */
  #isShared = false;

  /** @param room - Digests that it has room for, or the words that it is to have. */
  constructor(room: number | Int32Array = INITIAL_DIGESTS) {
    this.words = typeof room === 'number' ? new Int32Array(HashChain.wordOf(room)) : room;
  }

  /** A chain of the first `length` blocks of `words`, which nobody writes any more. */
  static sharing(words: Int32Array, length: number): HashChain {
    const chain = new HashChain(words);
    chain.length = length;
    chain.#isShared = true;
    return chain;
  }

  /** First word of the digest of block `index`; `index` -1 is the root. */
  static wordOf(index: number): number {
    return DIGEST_WORDS * (index + 1);
  }

  /** Makes room for one more digest and counts it. */
  grow(): void {
    this.length++;
    const end = HashChain.wordOf(this.length);
    if (end <= this.words.length && !this.#isShared) return;
    const grown = new Int32Array(end <= this.words.length ? this.words.length : Math.max(2 * this.words.length, end));
    grown.set(this.words);
    this.words = grown;
    this.#isShared = false;
  }

  /** Forgets blocks from `length` on. */
  truncate(length: number): void {
    this.length = Math.min(this.length, length);
  }

  /** Becomes the first `length` blocks of `other`. */
  copyFrom(other: HashChain, length: number): void {
    this.length = Math.min(other.length, length);
    this.words = other.words.slice(0, Math.max(HashChain.wordOf(this.length), DIGEST_WORDS * INITIAL_DIGESTS));
    this.#isShared = false;
  }
}
