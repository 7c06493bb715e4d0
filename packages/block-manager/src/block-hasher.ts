import { hash } from 'node:crypto';
import { DIGEST_WORDS, HashChain } from './hash-chain.js';

const NO_ROOT = { salt: null, extraKey: null, words: new Int32Array(0) };

/**
 * Names the content of full blocks: `digest(i) = SHA-256(digest(i - 1), tokens of block i)`, where the root digest covers
 * block size, seed, salt and extra key. Equal digests mean equal tokens from the first position on, under equal keys.
 */
export class BlockHasher {
  readonly #blockSize: number;
  readonly #seed: string;
  /** Parent digest, then the tokens of one block. */
  readonly #message: Int32Array;
  readonly #messageBytes: Uint8Array;
  #lastRoot: { salt: string | null; extraKey: string | null; words: Int32Array } = NO_ROOT;

  constructor(blockSize: number, seed: string) {
    this.#blockSize = blockSize;
    this.#seed = seed;
    this.#message = new Int32Array(DIGEST_WORDS + blockSize);
    this.#messageBytes = new Uint8Array(this.#message.buffer);
  }

  /** Starts a chain for sequences that share `salt` and `extraKey`, with room for `numBlocks` digests. */
  start(salt: string | undefined, extraKey: string | undefined, numBlocks?: number): HashChain {
    const chain = new HashChain(numBlocks);
    chain.words.set(this.root(salt, extraKey));
    return chain;
  }

  /** Hashes blocks until `chain` covers `numBlocks`; `tokenIds` must hold all of their tokens. */
  extend(chain: HashChain, tokenIds: ArrayLike<number>, numBlocks: number): void {
    while (chain.length < numBlocks) {
      const index = chain.length;
      const parent = HashChain.wordOf(index - 1);
      for (let word = 0; word < DIGEST_WORDS; word++) this.#message[word] = chain.words[parent + word]!;
      const first = index * this.#blockSize;
      for (let i = 0; i < this.#blockSize; i++) this.#message[DIGEST_WORDS + i] = tokenIds[first + i]!;
      const digest = hash('sha256', this.#messageBytes, 'binary');
      chain.grow();
      writeDigest(digest, chain.words, HashChain.wordOf(index));
    }
  }

  /** The digest that a chain under these keys starts from; valid until the next call. */
  root(salt: string | undefined, extraKey: string | undefined): Int32Array {
    return this.#root(salt ?? null, extraKey ?? null);
  }

  /** Neighbours mostly share their keys, so the last root is kept. */
  #root(salt: string | null, extraKey: string | null): Int32Array {
    const last = this.#lastRoot;
    if (last.words.length > 0 && last.salt === salt && last.extraKey === extraKey) return last.words;
    const words = new Int32Array(DIGEST_WORDS);
    // JSON keeps the fields apart whatever they contain.
    const root = JSON.stringify(['kvasir.kv-block.1', this.#blockSize, this.#seed, salt, extraKey]);
    writeDigest(hash('sha256', root, 'binary'), words, 0);
    this.#lastRoot = { salt, extraKey, words };
    return words;
  }
}

/** The digest comes as a string of bytes: unlike a Buffer it lives on the garbage collector's own heap, which is twice as fast. */
function writeDigest(digest: string, words: Int32Array, at: number): void {
  for (let word = 0; word < DIGEST_WORDS; word++) {
    const byte = 4 * word;
    words[at + word] =
      digest.charCodeAt(byte) |
      (digest.charCodeAt(byte + 1) << 8) |
      (digest.charCodeAt(byte + 2) << 16) |
      (digest.charCodeAt(byte + 3) << 24);
  }
}
