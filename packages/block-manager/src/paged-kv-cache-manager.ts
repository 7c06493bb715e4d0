import {
  type BlockId,
  type BlockTable,
  type BlockTransfer,
  InvalidArgumentError,
  type KvCacheManager,
  type KvCacheStats,
  type KvGroup,
  NULL_BLOCK,
  type OpenOptions,
  type PrefixKeys,
  type PreparedPrompt,
  type SequenceId,
  type TenantCacheStats,
} from '@kvasir/interfaces';
import { BlockPool } from './block-pool.js';
import { DuplicateSequenceError, UnknownSequenceError } from './errors.js';
import type { GrowableBlockTable } from './growable-block-table.js';
import { HashChain } from './hash-chain.js';
import { checkBookkeeping } from './integrity.js';
import { checkOptions, DEFAULT_MAX_TENANTS, type KvCacheManagerOptions } from './options.js';
import { PrefixCache } from './prefix-cache.js';
import { SequenceBlocks } from './sequence-blocks.js';
import { TransferQueue } from './transfer-queue.js';
import { firstVisibleBlock, maxVisibleBlocks } from './window.js';

/**
 * Makes the bookkeeper of a paged KV cache.
 * @throws `InvalidArgumentError` for an option that cannot be used, unknown ones included.
 */
export function createKvCacheManager(options: KvCacheManagerOptions): KvCacheManager {
  checkOptions(options);
  return new PagedKvCacheManager(options);
}

class PagedKvCacheManager implements KvCacheManager {
  readonly blockSize: number;
  readonly groups: readonly KvGroup[];
  readonly #pool: BlockPool;
  /** `null` when prefix caching is off. */
  readonly #prefixes: PrefixCache | null;
  readonly #sequences = new Map<SequenceId, SequenceBlocks>();
  readonly #transfers: TransferQueue;

  constructor(options: KvCacheManagerOptions) {
    this.blockSize = options.blockSize;
    this.groups = options.groups.map((group) => ({ ...group }));
    this.#pool = new BlockPool(options.numBlocks - 1);
    this.#prefixes =
      options.enablePrefixCaching === false
        ? null
        : new PrefixCache({
            pool: this.#pool,
            groups: this.groups,
            blockSize: options.blockSize,
            hashSeed: options.hashSeed ?? '',
            maxTenants: options.maxTenants ?? DEFAULT_MAX_TENANTS,
          });
    this.#transfers = new TransferQueue(this.#pool.origins, new Float64Array(0));
  }

  get numBlocks(): number {
    return this.#pool.size;
  }

  get numFreeBlocks(): number {
    return this.#pool.numFree;
  }

  prepare(tokenIds: Int32Array, keys: PrefixKeys = {}): PreparedPrompt {
    return this.#prefixes?.prepare(tokenIds, keys) ?? { numTokens: tokenIds.length, numHashedBlocks: 0 };
  }

  open(id: SequenceId, tokenIds: Int32Array, options: OpenOptions = {}): number {
    this.#checkUnopened(id);
    const chain = this.#prefixes?.start(options, tokenIds.length) ?? null;
    const tenant = this.#prefixes?.tenants.indexOf(options.tenant ?? '') ?? 0;
    const sequence = new SequenceBlocks(id, this.groups.length, chain, tenant);
    if (options.skipPrefixRead !== true) this.#prefixes?.take(sequence, tokenIds);
    this.#sequences.set(id, sequence);
    return sequence.numComputed;
  }

  reserve(id: SequenceId, numTokens: number): boolean {
    const sequence = this.#get(id);
    if (!Number.isInteger(numTokens) || numTokens < 0) throw badCount('reserve', id, numTokens, 0, Infinity);
    const numBlocks = Math.ceil(numTokens / this.blockSize);
    const { numComputed, tables } = sequence;
    // Blocks that exist and will be written: from the first uncomputed token on.
    const firstWritten = numTokens > numComputed ? Math.floor(numComputed / this.blockSize) : numBlocks;

    let needed = tables.length * Math.max(0, numBlocks - sequence.numBlocks);
    for (let group = 0; group < tables.length; group++) {
      const table = tables[group]!;
      for (let entry = firstWritten; entry < numBlocks && entry < table.length; entry++) {
        if (!this.#pool.isWritable(table.ids[entry] as BlockId)) needed++;
      }
    }
    if (needed > this.#pool.numFree) return false;

    if (needed > 0) {
      for (let group = 0; group < tables.length; group++) {
        const table = tables[group]!;
        for (let entry = firstWritten; entry < numBlocks && entry < table.length; entry++) {
          if (!this.#pool.isWritable(table.ids[entry] as BlockId)) this.#copyOnWrite(table, group, entry);
        }
        while (table.length < numBlocks) table.push(this.#pool.allocate());
      }
    }
    if (numTokens > sequence.numReserved) sequence.numReserved = numTokens;
    return true;
  }

  fits(numTokens: number): boolean {
    let needed = 0;
    for (const group of this.groups) needed += maxVisibleBlocks(group, numTokens, this.blockSize);
    return needed <= this.#pool.size;
  }

  commit(id: SequenceId, tokenIds: ArrayLike<number>, numComputed: number): void {
    const sequence = this.#get(id);
    const most = Math.min(sequence.numReserved, tokenIds.length);
    if (!Number.isInteger(numComputed) || numComputed < sequence.numComputed || numComputed > most) {
      throw badCount('commit', id, numComputed, sequence.numComputed, most);
    }
    sequence.numComputed = numComputed;
    if (this.#prefixes !== null && numComputed >= (sequence.numPublished + 1) * this.blockSize) {
      this.#prefixes.publish(sequence, tokenIds);
    }
    this.#releaseBehindWindows(sequence);
  }

  truncate(id: SequenceId, numTokens: number): void {
    const sequence = this.#get(id);
    if (!Number.isInteger(numTokens) || numTokens < 0 || numTokens > sequence.numReserved) {
      throw badCount('truncate', id, numTokens, 0, sequence.numReserved);
    }
    this.#checkVisible('truncate', sequence, numTokens);
    this.#releaseFrom(sequence, Math.ceil(numTokens / this.blockSize));
    sequence.numReserved = numTokens;
    sequence.numComputed = Math.min(sequence.numComputed, numTokens);
    const numFull = Math.floor(numTokens / this.blockSize);
    sequence.numPublished = Math.min(sequence.numPublished, numFull);
    // Also where nothing was computed: a lookup hashes ahead, and other tokens may follow now.
    sequence.chain?.truncate(numFull);
  }

  fork(parentId: SequenceId, childId: SequenceId, numTokens: number): void {
    const parent = this.#get(parentId);
    this.#checkUnopened(childId);
    if (!Number.isInteger(numTokens) || numTokens < 0 || numTokens > parent.numComputed) {
      throw badCount('fork', parentId, numTokens, 0, parent.numComputed);
    }
    this.#checkVisible('fork', parent, numTokens);
    const numFull = Math.floor(numTokens / this.blockSize);
    const chain = parent.chain === null ? null : new HashChain();
    if (parent.chain !== null) chain?.copyFrom(parent.chain, numFull);

    const child = new SequenceBlocks(childId, this.groups.length, chain, parent.tenant);
    child.numComputed = numTokens;
    child.numReserved = numTokens;
    child.numPublished = Math.min(parent.numPublished, numFull);
    const numBlocks = Math.ceil(numTokens / this.blockSize);
    this.groups.forEach((group, index) => {
      const first = firstVisibleBlock(group, numTokens, this.blockSize);
      for (let entry = 0; entry < numBlocks; entry++) {
        const block = entry < first ? NULL_BLOCK : (parent.tables[index]!.ids[entry] as BlockId);
        if (block !== NULL_BLOCK) this.#pool.retain(block);
        child.tables[index]!.push(block);
      }
    });
    this.#sequences.set(childId, child);
  }

  close(id: SequenceId): void {
    const sequence = this.#get(id);
    this.#releaseFrom(sequence, 0);
    this.#sequences.delete(id);
  }

  table(id: SequenceId, group: number): BlockTable {
    const table = this.#get(id).tables[group];
    if (table === undefined) {
      throw new InvalidArgumentError('group', `group is ${group}: expected 0 to ${this.groups.length - 1}`);
    }
    return table;
  }

  markSent(id: SequenceId): void {
    const { tables } = this.#get(id);
    for (let group = 0; group < tables.length; group++) tables[group]!.markSent();
  }

  takeTransfers(): readonly BlockTransfer[] {
    return this.#transfers.take();
  }

  abandonTransfers(transfers: readonly BlockTransfer[]): readonly SequenceId[] {
    const spoilt = this.#transfers.spoiltBy(transfers);
    if (spoilt.size === 0) return [];
    const { origins } = this.#pool;
    const holders: SequenceId[] = [];
    for (const { id, tables } of this.#sequences.values()) {
      if (tables.some((table) => table.some((block) => spoilt.has(origins[block]!)))) holders.push(id);
    }
    return holders;
  }

  resetPrefixCache(): void {
    this.#pool.forgetIdle();
  }

  stats(): KvCacheStats {
    return {
      numBlocks: this.#pool.size,
      numFreeBlocks: this.#pool.numFree,
      numCachedBlocks: this.#pool.index.size,
      prefixQueries: this.#prefixes?.numQueries ?? 0,
      prefixHits: this.#prefixes?.numHits ?? 0,
      prefixQueriedTokens: this.#prefixes?.numQueriedTokens ?? 0,
      prefixHitTokens: this.#prefixes?.numHitTokens ?? 0,
      evictedBlocks: this.#pool.numEvicted,
      tenants: this.#prefixes?.tenants.all ?? NO_TENANTS,
    };
  }

  checkIntegrity(): void {
    const { groups, blockSize } = this;
    checkBookkeeping({ pool: this.#pool, sequences: this.#sequences.values(), groups, blockSize });
  }

  #get(id: SequenceId): SequenceBlocks {
    const sequence = this.#sequences.get(id);
    if (sequence === undefined) throw new UnknownSequenceError(id);
    return sequence;
  }

  #checkUnopened(id: SequenceId): void {
    if (this.#sequences.has(id)) throw new DuplicateSequenceError(id);
  }

  #releaseBehindWindows(sequence: SequenceBlocks): void {
    for (let group = 0; group < this.groups.length; group++) {
      const table = sequence.tables[group]!;
      let entry = firstVisibleBlock(this.groups[group]!, sequence.numComputed, this.blockSize) - 1;
      for (; entry >= 0 && table.ids[entry] !== NULL_BLOCK; entry--) {
        this.#pool.release(table.ids[entry] as BlockId);
        table.set(entry, NULL_BLOCK);
      }
    }
  }

  /** Gives back table entries from `numBlocks` on, last first, so that prefixes outlive what hangs on them. */
  #releaseFrom(sequence: SequenceBlocks, numBlocks: number): void {
    const { tables } = sequence;
    while (sequence.numBlocks > numBlocks) {
      for (let group = tables.length - 1; group >= 0; group--) {
        const block = tables[group]!.pop();
        if (block !== NULL_BLOCK) this.#pool.release(block);
      }
    }
  }

  #copyOnWrite(table: GrowableBlockTable, group: number, entry: number): void {
    const src = table.ids[entry] as BlockId;
    const dst = this.#pool.allocate();
    table.set(entry, dst);
    this.#transfers.push('copy', group, src, dst);
    this.#pool.release(src);
  }

  /** Going back to `numTokens` needs the blocks that a query there sees; behind a window they may be gone. */
  #checkVisible(verb: string, sequence: SequenceBlocks, numTokens: number): void {
    this.groups.forEach((group, index) => {
      const first = firstVisibleBlock(group, numTokens, this.blockSize);
      const end = Math.ceil(numTokens / this.blockSize);
      if (first < end && sequence.tables[index]!.ids[first] === NULL_BLOCK) {
        throw new InvalidArgumentError(
          'numTokens',
          `${verb} of sequence ${sequence.id} to ${numTokens} tokens needs blocks that left the window of group ${index} (${sequence.numComputed} tokens are computed): open it again instead`,
        );
      }
    });
  }
}

const NO_TENANTS: ReadonlyMap<string, TenantCacheStats> = new Map();

function badCount(verb: string, id: SequenceId, got: number, min: number, max: number): InvalidArgumentError {
  return new InvalidArgumentError(
    verb === 'commit' ? 'numComputed' : 'numTokens',
    `${verb} of sequence ${id} with ${got} tokens: expected an integer from ${min} to ${max}${verb === 'commit' ? '; reserve() first' : ''}`,
  );
}
