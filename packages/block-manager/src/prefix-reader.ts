import { type BlockId, type KvGroup, NULL_BLOCK } from '@kvasir/interfaces';
import type { BlockHasher } from './block-hasher.js';
import { HashChain } from './hash-chain.js';
import type { HostTier } from './host-tier.js';
import type { PrefixIndex } from './prefix-index.js';
import { matchPrefix, type PrefixQuery } from './prefix-match.js';
import type { PublishedBlocks } from './published-blocks.js';
import type { SequenceBlocks } from './sequence-blocks.js';
import { firstVisibleBlock } from './window.js';

/** A host block that goes to where `entry` of the table of `group` points. */
interface PlannedLoad {
  readonly group: number;
  readonly entry: number;
  readonly source: BlockId;
}

/** What a {@link PrefixReader} reads. */
export interface PrefixReaderParts {
  readonly blocks: PublishedBlocks;
  readonly groups: readonly KvGroup[];
  readonly blockSize: number;
  readonly hasher: BlockHasher;
}

/** Gives a new sequence the longest prefix that is cached: blocks that the pool has, and loads of those that only the host tier has. */
export class PrefixReader {
  readonly #blocks: PublishedBlocks;
  readonly #groups: readonly KvGroup[];
  readonly #blockSize: number;
  readonly #hasher: BlockHasher;
  readonly #inPool: readonly PrefixIndex[];

  constructor({ blocks, groups, blockSize, hasher }: PrefixReaderParts) {
    this.#blocks = blocks;
    this.#groups = groups;
    this.#blockSize = blockSize;
    this.#hasher = hasher;
    this.#inPool = [blocks.pool.index];
  }

  /** Fills the empty tables of `sequence` and holds their blocks. Returns the length of the prefix in blocks. */
  read(sequence: SequenceBlocks, tokenIds: Int32Array): number {
    const chain = sequence.chain as HashChain;
    const numBlocks = this.#choose(chain, tokenIds);
    const { pool, tier } = this.#blocks;
    const loads: PlannedLoad[] = [];
    // What is there is held before anything is allocated, so that a load evicts none of it.
    for (let group = 0; group < this.#groups.length; group++) {
      const first = firstVisibleBlock(this.#groups[group]!, numBlocks * this.#blockSize, this.#blockSize);
      for (let entry = 0; entry < numBlocks; entry++) {
        const at = HashChain.wordOf(entry);
        const block = entry < first ? NULL_BLOCK : this.#blocks.find(chain.words, at, group);
        if (block !== NULL_BLOCK) pool.retain(block);
        else if (entry >= first) {
          const source = tier!.index.find(chain.words, at, group);
          tier!.hold(source);
          loads.push({ group, entry, source });
        }
        sequence.tables[group]!.push(block);
      }
    }
    if (loads.length > 0) this.#load(tier!, sequence, loads, tokenIds);
    return numBlocks;
  }

  /** Blocks that a read would find if all that the host tier has were worth loading. Holds nothing. */
  count(chain: HashChain, tokenIds: Int32Array): number {
    const { pool, tier } = this.#blocks;
    return matchPrefix(this.#query(tier === null ? this.#inPool : [pool.index, tier.index], chain, tokenIds));
  }

  #query(indexes: readonly PrefixIndex[], chain: HashChain, tokenIds: Int32Array): PrefixQuery {
    return { indexes, hasher: this.#hasher, groups: this.#groups, blockSize: this.#blockSize, chain, tokenIds };
  }

  /** The longest prefix that the pool has, or the longest that pool and host tier have together where loading it is possible and worth it. */
  #choose(chain: HashChain, tokenIds: Int32Array): number {
    const { pool, tier } = this.#blocks;
    const inPool = matchPrefix(this.#query(this.#inPool, chain, tokenIds));
    if (tier === null || tier.index.size === 0) return inPool;
    const query = this.#query(this.#inPool, chain, tokenIds);
    const indexes = [pool.index, tier.index];
    let numBlocks = matchPrefix({ ...query, indexes });
    while (numBlocks > inPool) {
      const { numLoads, numTaken } = this.#costOf(chain, numBlocks);
      const excess = numTaken - pool.numFree;
      if (excess <= 0) {
        const numTokens = (numBlocks - inPool) * this.#blockSize;
        if (!tier.isWorthLoading(numTokens, numLoads)) return inPool;
        tier.numHitTokens += numTokens;
        return numBlocks;
      }
      // One block less of prefix takes at most one block less in each group.
      const limit = numBlocks - Math.ceil(excess / this.#groups.length);
      numBlocks = limit <= inPool ? inPool : matchPrefix({ ...query, indexes, maxBlocks: limit });
    }
    return inPool;
  }

  /** Blocks to load for a prefix, and free blocks that it takes altogether. */
  #costOf(chain: HashChain, numBlocks: number): { numLoads: number; numTaken: number } {
    let numLoads = 0;
    let numTaken = 0;
    for (let group = 0; group < this.#groups.length; group++) {
      const first = firstVisibleBlock(this.#groups[group]!, numBlocks * this.#blockSize, this.#blockSize);
      for (let entry = first; entry < numBlocks; entry++) {
        const block = this.#blocks.find(chain.words, HashChain.wordOf(entry), group);
        if (block === NULL_BLOCK) numLoads++;
        if (block === NULL_BLOCK || this.#blocks.pool.numHolders(block) === 0) numTaken++;
      }
    }
    return { numLoads, numTaken };
  }

  #load(tier: HostTier, sequence: SequenceBlocks, loads: readonly PlannedLoad[], tokenIds: Int32Array): void {
    const chain = sequence.chain as HashChain;
    for (const { group, entry, source } of loads) {
      const block = this.#blocks.pool.allocate();
      tier.load(source, block);
      this.#blocks.publish(block, chain.words, HashChain.wordOf(entry), group, sequence.tenant);
      this.#blocks.events.storedRun({ chain, group, first: entry, end: entry + 1, tokenIds });
      sequence.tables[group]!.set(entry, block);
    }
    // Last first, so that the last block of the prefix is the oldest.
    for (const { source } of loads.toReversed()) tier.release(source);
  }
}
