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
import type { BlockPool } from './block-pool.js';
import { DIGEST_WORDS, HashChain } from './hash-chain.js';
import { HashedPrompt } from './hashed-prompt.js';
import { matchPrefix } from './prefix-match.js';
import type { SequenceBlocks } from './sequence-blocks.js';
import { TenantLedger } from './tenant-ledger.js';
import { firstVisibleBlock } from './window.js';

/** What a {@link PrefixCache} works on. */
export interface PrefixCacheParts {
  readonly pool: BlockPool;
  readonly groups: readonly KvGroup[];
  readonly blockSize: number;
  readonly hashSeed: string;
  readonly maxTenants: number;
}

/**
 * Gives new sequences the blocks of others that begin alike, and makes full blocks findable.
 *
 * While a sequence is open, each of its full, computed blocks that its windows still see is published under its digest.
 */
export class PrefixCache {
  readonly tenants: TenantLedger;
  numQueries = 0;
  numHits = 0;
  numQueriedTokens = 0;
  numHitTokens = 0;
  readonly #pool: BlockPool;
  readonly #groups: readonly KvGroup[];
  readonly #blockSize: number;
  readonly #hasher: BlockHasher;
  /** By block: the tenant whose sequence published it. */
  readonly #tenantOf: Int32Array;

  constructor({ pool, groups, blockSize, hashSeed, maxTenants }: PrefixCacheParts) {
    this.#pool = pool;
    this.#groups = groups;
    this.#blockSize = blockSize;
    this.#hasher = new BlockHasher(blockSize, hashSeed);
    this.tenants = new TenantLedger(maxTenants);
    this.#tenantOf = new Int32Array(pool.size + 1);
    pool.onEvict = (block) => this.#onEvict(block);
  }

  prepare(tokenIds: Int32Array, { salt, extraKey }: PrefixKeys): PreparedPrompt {
    const chain = this.#hasher.start(salt, extraKey);
    const numBlocks = Math.floor(tokenIds.length / this.#blockSize);
    this.#hasher.extend(chain, tokenIds, numBlocks);
    return new HashedPrompt(tokenIds.length, numBlocks, chain.words.slice(0, HashChain.wordOf(numBlocks)));
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
    const chain = new HashChain();
    chain.share(prepared.words, prepared.numHashedBlocks);
    return chain;
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
    this.numQueries++;
    if (numTokens > 0) this.numHits++;
    this.numQueriedTokens += tokenIds.length;
    this.numHitTokens += numTokens;
    this.tenants.countQuery(sequence.tenant, tokenIds.length, numTokens);
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
      this.#tenantOf[block] = sequence.tenant;
      return;
    }
    this.#pool.retain(twin);
    table.set(entry, twin);
    this.#pool.release(block);
  }

  #onEvict(block: BlockId): void {
    this.tenants.countEviction(this.#tenantOf[block]!);
  }
}

function beginsWith(words: Int32Array, root: Int32Array): boolean {
  for (let word = 0; word < DIGEST_WORDS; word++) if (words[word] !== root[word]) return false;
  return true;
}
