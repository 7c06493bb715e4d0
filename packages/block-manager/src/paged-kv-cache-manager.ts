import {
  type BlockExport,
  type BlockHash,
  type BlockImport,
  type BlockName,
  type BlockTable,
  type BlockTransfer,
  type ClosingEstimate,
  InvalidArgumentError,
  type KvCacheEvent,
  type KvCacheManager,
  type KvCacheStats,
  type KvCacheTier,
  type KvCacheUsage,
  type KvGroup,
  type NamedBlock,
  type OpenOptions,
  type PrefixKeys,
  type PreparedPrompt,
  type SequenceId,
  UnsupportedError,
} from '@kvasir/interfaces';
import { checkCount, checkVisible } from './argument-checks.js';
import { BlockExchange } from './block-exchange.js';
import { BlockPool } from './block-pool.js';
import { measureUsage } from './cache-usage.js';
import { estimateClosing } from './closing-estimate.js';
import { DuplicateSequenceError, SpoiltSequenceError, UnknownSequenceError } from './errors.js';
import { HashChain } from './hash-chain.js';
import { HostTier } from './host-tier.js';
import { checkBookkeeping } from './integrity.js';
import { KvEventHub } from './kv-event-hub.js';
import { checkOptions, DEFAULT_MAX_TENANTS, type KvCacheManagerOptions } from './options.js';
import { PinnedPrefixes } from './pinned-prefixes.js';
import { PrefixCache } from './prefix-cache.js';
import { PublishedBlocks } from './published-blocks.js';
import { SequenceBlocks } from './sequence-blocks.js';
import { SequenceTables } from './sequence-tables.js';
import { TransferQueue } from './transfer-queue.js';
import { maxVisibleBlocks } from './window.js';

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
  readonly #isCaching: boolean;
  readonly #maxPinnedBlocks: number;
  readonly #pool: BlockPool;
  readonly #hostOrigins: Float64Array;
  readonly #transfers: TransferQueue;
  readonly #blocks: PublishedBlocks;
  readonly #tables: SequenceTables;
  readonly #prefixes: PrefixCache;
  readonly #exchange: BlockExchange;
  readonly #sequences = new Map<SequenceId, SequenceBlocks>();

  constructor(options: KvCacheManagerOptions) {
    const { numBlocks, blockSize, hostTier } = options;
    this.blockSize = blockSize;
    this.groups = options.groups.map((group) => ({ ...group }));
    this.#isCaching = options.enablePrefixCaching ?? true;
    this.#pool = new BlockPool(numBlocks - 1);
    this.#maxPinnedBlocks = Math.floor((options.maxPinnedShare ?? 0) * this.#pool.size);
    this.#hostOrigins = new Float64Array(hostTier?.numBlocks ?? 0);
    this.#transfers = new TransferQueue(this.#pool.origins, this.#hostOrigins);
    const events = new KvEventHub(blockSize);
    this.#blocks = new PublishedBlocks({
      pool: this.#pool,
      tier: hostTier === undefined ? null : new HostTier(hostTier, this.#transfers, events),
      pins: new PinnedPrefixes(this.#pool, this.#maxPinnedBlocks),
      events,
      maxTenants: options.maxTenants ?? DEFAULT_MAX_TENANTS,
    });
    const { groups } = this;
    this.#tables = new SequenceTables({ pool: this.#pool, transfers: this.#transfers, groups, blockSize });
    this.#prefixes = new PrefixCache({ blocks: this.#blocks, groups, blockSize, hashSeed: options.hashSeed ?? '' });
    this.#exchange = new BlockExchange(this.#blocks, groups.length);
  }

  get numBlocks(): number {
    return this.#pool.size;
  }

  get numFreeBlocks(): number {
    return this.#pool.numFree;
  }

  prepare(tokenIds: Int32Array, keys: PrefixKeys = {}): PreparedPrompt {
    if (!this.#isCaching) return { numTokens: tokenIds.length, numHashedBlocks: 0 };
    return this.#prefixes.prepare(tokenIds, keys);
  }

  open(id: SequenceId, tokenIds: Int32Array, options: OpenOptions = {}): number {
    this.#checkUnopened(id);
    const chain = this.#isCaching ? this.#prefixes.start(options, tokenIds.length) : null;
    const tenant = this.#blocks.tenants.indexOf(options.tenant ?? '');
    const sequence = new SequenceBlocks(id, this.groups.length, chain, tenant);
    if (chain !== null && options.skipPrefixRead !== true) this.#prefixes.take(sequence, tokenIds);
    this.#sequences.set(id, sequence);
    return sequence.numComputed;
  }

  lookup(tokenIds: Int32Array, options: OpenOptions = {}): number {
    if (!this.#isCaching || options.skipPrefixRead === true) return 0;
    return this.#prefixes.lookup(options, tokenIds);
  }

  estimateClosing(id: SequenceId): ClosingEstimate {
    return estimateClosing(this.#pool, this.#get(id), this.blockSize);
  }

  reserve(id: SequenceId, numTokens: number): boolean {
    const sequence = this.#get(id);
    checkCount('reserve', id, numTokens, 0, Infinity);
    if (!this.#tables.grow(sequence, numTokens)) return false;
    if (numTokens > sequence.numReserved) sequence.numReserved = numTokens;
    return true;
  }

  fits(numTokens: number): boolean {
    let needed = 0;
    for (const group of this.groups) needed += maxVisibleBlocks(group, numTokens, this.blockSize);
    return needed <= this.#pool.size - this.#maxPinnedBlocks;
  }

  commit(id: SequenceId, tokenIds: ArrayLike<number>, numComputed: number): void {
    const sequence = this.#getSound(id);
    checkCount('commit', id, numComputed, sequence.numComputed, Math.min(sequence.numReserved, tokenIds.length));
    sequence.numComputed = numComputed;
    if (sequence.chain !== null && numComputed >= (sequence.numPublished + 1) * this.blockSize) {
      this.#prefixes.publish(sequence, tokenIds);
    }
    this.#tables.releaseBehindWindows(sequence);
  }

  truncate(id: SequenceId, numTokens: number): void {
    const sequence = this.#get(id);
    checkCount('truncate', id, numTokens, 0, sequence.numReserved);
    checkVisible('truncate', sequence, numTokens, this.groups, this.blockSize);
    this.#tables.releaseFrom(sequence, Math.ceil(numTokens / this.blockSize));
    sequence.numReserved = numTokens;
    sequence.numComputed = Math.min(sequence.numComputed, numTokens);
    const numFull = Math.floor(numTokens / this.blockSize);
    sequence.numPublished = Math.min(sequence.numPublished, numFull);
    // Also where nothing was computed: a lookup hashes ahead, and other tokens may follow now.
    sequence.chain?.truncate(numFull);
  }

  fork(parentId: SequenceId, childId: SequenceId, numTokens: number): void {
    const parent = this.#getSound(parentId);
    this.#checkUnopened(childId);
    checkCount('fork', parentId, numTokens, 0, parent.numComputed);
    checkVisible('fork', parent, numTokens, this.groups, this.blockSize);
    const numFull = Math.floor(numTokens / this.blockSize);
    const chain = parent.chain === null ? null : new HashChain();
    if (parent.chain !== null) chain?.copyFrom(parent.chain, numFull);

    const child = new SequenceBlocks(childId, this.groups.length, chain, parent.tenant);
    child.numComputed = numTokens;
    child.numReserved = numTokens;
    child.numPublished = Math.min(parent.numPublished, numFull);
    this.#tables.share(parent, child, numTokens);
    this.#sequences.set(childId, child);
  }

  close(id: SequenceId): void {
    const sequence = this.#get(id);
    this.#tables.releaseFrom(sequence, 0);
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
    for (const sequence of this.#sequences.values()) {
      if (!sequence.tables.some((table) => table.some((block) => spoilt.has(origins[block]!)))) continue;
      sequence.isSpoilt = true;
      holders.push(sequence.id);
    }
    this.#blocks.withdrawSpoilt(spoilt, this.#hostOrigins);
    return holders;
  }

  resetPrefixCache(): void {
    this.#blocks.reset();
  }

  pin(name: string, tokenIds: Int32Array, keys: PrefixKeys = {}): void {
    if (!this.#isCaching) throw new UnsupportedError('pin', 'pin needs enablePrefixCaching, which is false');
    this.#blocks.pins.pin(name, this.#prefixes.pinTargets(tokenIds, keys));
  }

  unpin(name: string): boolean {
    return this.#blocks.pins.unpin(name);
  }

  subscribe(listener: (event: KvCacheEvent) => void): () => void {
    return this.#blocks.events.subscribe(listener);
  }

  cachedBlocks(tier: KvCacheTier): Iterable<NamedBlock> {
    return this.#exchange.list(tier);
  }

  exportBlocks(of: SequenceId | readonly BlockHash[]): BlockExport {
    if (typeof of !== 'number') return this.#exchange.exportNamed(of);
    const { chain, numPublished } = this.#getSound(of);
    return this.#exchange.exportChain(chain ?? new HashChain(), chain === null ? 0 : numPublished);
  }

  importBlocks(names: readonly BlockName[]): BlockImport {
    return this.#exchange.import(this.#isCaching ? names : [], this.#blocks.tenants.indexOf(''));
  }

  usage(): KvCacheUsage {
    return measureUsage(this.#pool, this.#sequences.values(), this.blockSize);
  }

  stats(): KvCacheStats {
    const { tenants, pins, tier } = this.#blocks;
    const { numQueries, numHits, numQueriedTokens, numHitTokens } = this.#prefixes;
    return {
      numBlocks: this.#pool.size,
      numFreeBlocks: this.#pool.numFree,
      numCachedBlocks: this.#pool.index.size,
      prefixQueries: numQueries,
      prefixHits: numHits,
      prefixQueriedTokens: numQueriedTokens,
      prefixHitTokens: numHitTokens,
      evictedBlocks: this.#pool.numEvicted,
      tenants: tenants.all,
      numPinnedBlocks: pins.numHeld,
      hostTier: tier === null ? null : tier.stats(),
    };
  }

  checkIntegrity(): void {
    const { groups, blockSize } = this;
    const otherHolders = [...this.#blocks.pins.held(), ...this.#exchange.held()];
    checkBookkeeping({ pool: this.#pool, sequences: this.#sequences.values(), otherHolders, groups, blockSize });
    this.#blocks.checkIntegrity();
  }

  #get(id: SequenceId): SequenceBlocks {
    const sequence = this.#sequences.get(id);
    if (sequence === undefined) throw new UnknownSequenceError(id);
    return sequence;
  }

  #getSound(id: SequenceId): SequenceBlocks {
    const sequence = this.#get(id);
    if (sequence.isSpoilt) throw new SpoiltSequenceError(id);
    return sequence;
  }

  #checkUnopened(id: SequenceId): void {
    if (this.#sequences.has(id)) throw new DuplicateSequenceError(id);
  }
}
