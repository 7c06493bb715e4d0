import { hash } from 'node:crypto';
import { DIGEST_WORDS, HashChain } from './hash-chain.js';

const DIGEST_BYTES = 4 * DIGEST_WORDS;

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

  constructor(blockSize: number, seed: string) {
    this.#blockSize = blockSize;
    this.#seed = seed;
    this.#message = new Int32Array(DIGEST_WORDS + blockSize);
    this.#messageBytes = new Uint8Array(this.#message.buffer);
  }

  /** Starts a chain for sequences that share `salt` and `extraKey`. */
  start(salt: string | undefined, extraKey: string | undefined): HashChain {
    const chain = new HashChain();
    // JSON keeps the fields apart whatever they contain.
    const root = JSON.stringify(['kvasir.kv-block.1', this.#blockSize, this.#seed, salt ?? null, extraKey ?? null]);
    writeDigest(hash('sha256', root, 'buffer'), chain.words, 0);
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
      const digest = hash('sha256', this.#messageBytes, 'buffer');
      chain.grow();
      writeDigest(digest, chain.words, HashChain.wordOf(index));
    }
  }
}

function writeDigest(digest: Buffer, words: Int32Array, at: number): void {
  for (let byte = 0; byte < DIGEST_BYTES; byte += 4) words[at + byte / 4] = digest.readInt32LE(byte);
}
