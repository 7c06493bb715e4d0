import { type BlockId, type KvGroup, NULL_BLOCK, type OpenOptions } from '@kvasir/interfaces';
import { BlockHasher } from './block-hasher.js';
import type { BlockPool } from './block-pool.js';
import { HashChain } from './hash-chain.js';
import { matchPrefix } from './prefix-match.js';
import type { SequenceBlocks } from './sequence-blocks.js';
import { firstVisibleBlock } from './window.js';

/**
 * Gives new sequences the blocks of others that begin alike, and makes full blocks findable.
 *
 * While a sequence is open, each of its full, computed blocks that its windows still see is published under its digest.
 */
export class PrefixCache {
  numQueriedTokens = 0;
  numHitTokens = 0;
  readonly #pool: BlockPool;
  readonly #groups: readonly KvGroup[];
  readonly #blockSize: number;
  readonly #hasher: BlockHasher;

  constructor(pool: BlockPool, groups: readonly KvGroup[], blockSize: number, hashSeed: string) {
    this.#pool = pool;
    this.#groups = groups;
    this.#blockSize = blockSize;
    this.#hasher = new BlockHasher(blockSize, hashSeed);
  }

  /** Starts the hashes of a new sequence. */
  start({ salt, extraKey }: OpenOptions): HashChain {
    return this.#hasher.start(salt, extraKey);
  }

  /** Fills the empty tables of `sequence` with the longest cached prefix and holds its blocks. */
  take(sequence: SequenceBlocks, tokenIds: Int32Array): void {
    const chain = sequence.chain as HashChain;
    const groups = this.#groups;
    const blockSize = this.#blockSize;
    const { index } = this.#pool;
    const numBlocks = matchPrefix({ index, hasher: this.#hasher, groups, blockSize, chain, tokenIds });
    const numTokens = numBlocks * blockSize;
    groups.forEach((group, at) => {
      const first = firstVisibleBlock(group, numTokens, blockSize);
      for (let entry = 0; entry < numBlocks; entry++) {
        const block = entry < first ? NULL_BLOCK : index.find(chain.words, HashChain.wordOf(entry), at);
        if (block !== NULL_BLOCK) this.#pool.retain(block);
        sequence.tables[at]!.push(block);
      }
    });
    sequence.numComputed = numTokens;
    sequence.numReserved = numTokens;
    sequence.numPublished = numBlocks;
    this.numQueriedTokens += tokenIds.length;
    this.numHitTokens += numTokens;
  }

  /** Hashes and publishes the blocks of `sequence` that have become full. */
  publish(sequence: SequenceBlocks, tokenIds: ArrayLike<number>): void {
    const chain = sequence.chain as HashChain;
    const numFull = Math.floor(sequence.numComputed / this.#blockSize);
    this.#hasher.extend(chain, tokenIds, numFull);
    for (; sequence.numPublished < numFull; sequence.numPublished++) {
      for (let group = 0; group < this.#groups.length; group++) {
        this.#publishBlock(sequence, sequence.numPublished, group);
      }
    }
  }

  /** Content that is published already is not kept twice: the table takes the published block instead. */
  #publishBlock(sequence: SequenceBlocks, entry: number, group: number): void {
    const { index } = this.#pool;
    const { words } = sequence.chain as HashChain;
    const word = HashChain.wordOf(entry);
    const table = sequence.tables[group]!;
    const block = table.ids[entry] as BlockId;
    const twin = index.find(words, word, group);
    if (twin === block) return;
    if (twin === NULL_BLOCK) {
      index.insert(block, words, word, group);
      return;
    }
    this.#pool.retain(twin);
    table.set(entry, twin);
    this.#pool.release(block);
  }
}
