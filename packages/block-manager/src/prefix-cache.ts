import {
  type BlockId,
  InvalidArgumentError,
  type KvGroup,
  NULL_BLOCK,
  type OpenOptions,
  type PrefixKeys,
  type PreparedPrompt,
} from '@kvasir/interfaces';
import { BlockHasher } from './block-hasher.js';
import { DIGEST_WORDS, HashChain } from './hash-chain.js';
import { HashedPrompt } from './hashed-prompt.js';
import type { PinTarget } from './pinned-prefixes.js';
import { PrefixReader } from './prefix-reader.js';
import type { PublishedBlocks } from './published-blocks.js';
import type { SequenceBlocks } from './sequence-blocks.js';
import { firstVisibleBlock } from './window.js';

/** What a {@link PrefixCache} works on. */
export interface PrefixCacheParts {
  readonly blocks: PublishedBlocks;
  readonly groups: readonly KvGroup[];
  readonly blockSize: number;
  readonly hashSeed: string;
}

/**
 * Gives new sequences the blocks of others that begin alike, and makes full blocks findable.
 *
 * While a sequence is open, each of its full, computed blocks that its windows still see is published under its digest.
 */
export class PrefixCache {
  readonly blocks: PublishedBlocks;
  numQueries = 0;
  numHits = 0;
  numQueriedTokens = 0;
  numHitTokens = 0;
  readonly #groups: readonly KvGroup[];
  readonly #blockSize: number;
  readonly #hasher: BlockHasher;
  readonly #reader: PrefixReader;

  constructor({ blocks, groups, blockSize, hashSeed }: PrefixCacheParts) {
    this.blocks = blocks;
    this.#groups = groups;
    this.#blockSize = blockSize;
    this.#hasher = new BlockHasher(blockSize, hashSeed);
    this.#reader = new PrefixReader({ blocks, groups, blockSize, hasher: this.#hasher });
  }

  prepare(tokenIds: Int32Array, { salt, extraKey }: PrefixKeys): PreparedPrompt {
    const numBlocks = Math.floor(tokenIds.length / this.#blockSize);
    const chain = this.#hasher.start(salt, extraKey, numBlocks);
    this.#hasher.extend(chain, tokenIds, numBlocks);
    return new HashedPrompt(tokenIds.length, numBlocks, chain.words);
  }

  /** Starts the hashes of a new sequence of `numTokens` tokens: those that were prepared, else none. */
  start({ salt, extraKey, prepared }: OpenOptions, numTokens: number): HashChain {
    if (prepared === undefined) return this.#hasher.start(salt, extraKey);
    const root = this.#hasher.root(salt, extraKey);
    if (!(prepared instanceof HashedPrompt) || prepared.numTokens > numTokens || !beginsWith(prepared.words, root)) {
      throw new InvalidArgumentError(
        'prepared',
        `prepared is of ${prepared.numTokens} tokens and ${numTokens} are opened, or it was made with another salt, extraKey or manager: prepare() a prefix of these tokens with these keys`,
      );
    }
    return HashChain.sharing(prepared.words, prepared.numHashedBlocks);
  }

  /** Gives `sequence`, which is empty, the longest cached prefix of `tokenIds`. */
  take(sequence: SequenceBlocks, tokenIds: Int32Array): void {
    const numBlocks = this.#reader.read(sequence, tokenIds);
    const numTokens = numBlocks * this.#blockSize;
    sequence.numComputed = numTokens;
    sequence.numReserved = numTokens;
    sequence.numPublished = numBlocks;
    this.numQueries++;
    if (numTokens > 0) this.numHits++;
    this.numQueriedTokens += tokenIds.length;
    this.numHitTokens += numTokens;
    this.blocks.tenants.countQuery(sequence.tenant, tokenIds.length, numTokens);
  }

  /** Tokens that {@link PrefixCache.take} would find if all that the host tier has were worth loading. */
  lookup(options: OpenOptions, tokenIds: Int32Array): number {
    return this.#reader.count(this.start(options, tokenIds.length), tokenIds) * this.#blockSize;
  }

  /** Hashes and publishes the blocks of `sequence` that have become full. */
  publish(sequence: SequenceBlocks, tokenIds: ArrayLike<number>): void {
    const chain = sequence.chain as HashChain;
    const first = sequence.numPublished;
    const end = Math.floor(sequence.numComputed / this.#blockSize);
    this.#hasher.extend(chain, tokenIds, end);
    sequence.numPublished = end;
    for (let group = 0; group < this.#groups.length; group++) {
      let start = first;
      for (let entry = first; entry < end; entry++) {
        if (this.#publishBlock(sequence, entry, group)) continue;
        if (entry > start) this.blocks.events.storedRun({ chain, group, first: start, end: entry, tokenIds });
        start = entry + 1;
      }
      if (end > start) this.blocks.events.storedRun({ chain, group, first: start, end, tokenIds });
    }
  }

  /** What a pin of `tokenIds` keeps: what a sequence that goes on from its full blocks reads. */
  pinTargets(tokenIds: Int32Array, { salt, extraKey }: PrefixKeys): PinTarget[] {
    const chain = this.#hasher.start(salt, extraKey);
    const numBlocks = Math.floor(tokenIds.length / this.#blockSize);
    this.#hasher.extend(chain, tokenIds, numBlocks);
    const firsts = this.#groups.map((group) => firstVisibleBlock(group, numBlocks * this.#blockSize, this.#blockSize));
    const targets: PinTarget[] = [];
    for (let entry = 0; entry < numBlocks; entry++) {
      firsts.forEach((first, group) => {
        if (entry >= first) targets.push({ words: chain.words, at: HashChain.wordOf(entry), group });
      });
    }
    return targets;
  }

  /**
   * Content that is published already is not kept twice: the table takes the published block instead.
   * @returns Whether the content is new.
   */
  #publishBlock(sequence: SequenceBlocks, entry: number, group: number): boolean {
    const { blocks } = this;
    const { words } = sequence.chain as HashChain;
    const word = HashChain.wordOf(entry);
    const table = sequence.tables[group]!;
    const block = table.ids[entry] as BlockId;
    const twin = blocks.find(words, word, group);
    if (twin === block) return false;
    if (twin === NULL_BLOCK) return blocks.publish(block, words, word, group, sequence.tenant);
    blocks.pool.retain(twin);
    table.set(entry, twin);
    blocks.pool.release(block);
    return false;
  }
}

function beginsWith(words: Int32Array, root: Int32Array): boolean {
  for (let word = 0; word < DIGEST_WORDS; word++) if (words[word] !== root[word]) return false;
  return true;
}
