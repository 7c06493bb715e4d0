import type { BlockId, SequenceId } from './ids.js';

/** A group of layers as the block manager sees it. Groups share one pool, so all have the same `bytesPerBlock`. */
export interface KvGroup {
  readonly kind: 'full' | 'window';
  /** Tokens that a query sees, itself included; only for `window`. */
  readonly window?: number;
  readonly bytesPerBlock: number;
}

/** Read-only view of one sequence's blocks in one group; valid until the next call on the manager. */
export interface BlockTable {
  /** Entry `i` holds tokens `[i * blockSize, (i + 1) * blockSize)`; {@link NULL_BLOCK} behind the window. Only `[0, length)` is meaningful. */
  readonly ids: Int32Array;
  readonly length: number;
  /** Entries `[dirtyFrom, length)` changed since {@link KvCacheManager.markSent}. */
  readonly dirtyFrom: number;
}

/**
 * Bytes of one block that move before the KV writes of the step that carries them. `copy`: pool to pool; `store`: pool block
 * `src` to host block `dst`; `load`: host block `src` to pool block `dst`. Packed with `TRANSFER_OP`.
 */
export interface BlockTransfer {
  readonly op: 'copy' | 'load' | 'store';
  readonly group: number;
  /** Block of the pool, or of the host tier for `load`. */
  readonly src: BlockId;
  /** Block of the pool, or of the host tier for `store`. */
  readonly dst: BlockId;
}

/** A prompt whose full blocks are hashed; made by {@link KvCacheManager.prepare}, opaque to everyone else. Never changes. */
export interface PreparedPrompt {
  readonly numTokens: number;
  readonly numHashedBlocks: number;
}

/** What a prefix is keyed by besides its tokens. */
export interface PrefixKeys {
  /** Part of the first hash: content of one salt is never found under another, so timing tells a tenant nothing of others' prompts. */
  readonly salt?: string;
  /** Extra key of every block (an adapter, say). */
  readonly extraKey?: string;
}

/** How {@link KvCacheManager.open} looks for a prefix. */
export interface OpenOptions extends PrefixKeys {
  /** Do not read the prefix cache (prompt logprobs need every position). Default `false`. */
  readonly skipPrefixRead?: boolean;
  /** The hashes of a prompt that `tokenIds` begins with, made with the same keys: they are not computed again. */
  readonly prepared?: PreparedPrompt;
  /** Whose statistics count this sequence. Default `''`. Separates no content: that is the salt's work. */
  readonly tenant?: string;
}

/** Where a block's bytes are. */
export type KvCacheTier = 'pool' | 'host';

/** Name of a block's content and of all before it: SHA-256 in 64 hexadecimal digits. The name of the keys stands before a first block. */
export type BlockHash = string;

/** A block's content in one group of layers. */
export interface BlockName {
  readonly hash: BlockHash;
  readonly group: number;
}

/** A block and what it holds. */
export interface NamedBlock extends BlockName {
  readonly block: BlockId;
}

/** Blocks held for someone who reads their bytes. They stay as they are until `release`. */
export interface BlockExport {
  readonly blocks: readonly NamedBlock[];
  /** Gives the blocks back; further calls do nothing. */
  release(): void;
}

/** Blocks held for someone who writes their bytes. Nobody finds them before `commit`; either call ends it, further ones do nothing. */
export interface BlockImport {
  /** What is to be written: names that were not there yet, as far as there was room, in the order asked for. */
  readonly blocks: readonly NamedBlock[];
  /** The bytes are written: `open` finds the blocks from now on. */
  commit(): void;
  /** The bytes did not come. */
  abort(): void;
}

/** What happened to cached content, for those who follow which prefixes are where. Applied in order, `stored` adds names to a tier and the others take them away. */
export type KvCacheEvent =
  | {
      readonly type: 'stored';
      readonly tier: KvCacheTier;
      readonly group: number;
      /** Consecutive blocks of one chain. */
      readonly hashes: readonly BlockHash[];
      readonly blockSize: number;
      /** Name before the first of `hashes`. Absent, as are the tokens, for content that came from another tier or process. */
      readonly parentHash?: BlockHash;
      /** `hashes.length * blockSize` tokens. */
      readonly tokenIds?: readonly number[];
    }
  | {
      readonly type: 'removed';
      readonly tier: KvCacheTier;
      readonly group: number;
      readonly hashes: readonly BlockHash[];
    }
  /** Nothing is left in `tier`. */
  | { readonly type: 'cleared'; readonly tier: KvCacheTier };

/** Token places over all groups: how well the memory that is held is used. */
export interface KvCacheUsage {
  /** Places in blocks that are not free. */
  readonly heldTokens: number;
  /** Those of them that hold a computed token. */
  readonly storedTokens: number;
}

/** Counters and gauges of the host tier. */
export interface HostTierStats {
  readonly numBlocks: number;
  readonly numCachedBlocks: number;
  readonly storedBlocks: number;
  readonly loadedBlocks: number;
  readonly evictedBlocks: number;
  /** Tokens found at `open` thanks to this tier; part of `prefixHitTokens`. */
  readonly hitTokens: number;
}

/** What the prefix cache did for one tenant. */
export interface TenantCacheStats {
  readonly queriedTokens: number;
  readonly hitTokens: number;
  /** Blocks that sequences of this tenant had published, and that were evicted. */
  readonly evictedBlocks: number;
}

/** Counters since the manager was made, gauges of now. */
export interface KvCacheStats {
  readonly numBlocks: number;
  readonly numFreeBlocks: number;
  readonly numCachedBlocks: number;
  /** Times that `open` looked for a prefix, and times that it found one. */
  readonly prefixQueries: number;
  readonly prefixHits: number;
  /** Tokens asked for at `open`, and tokens found. */
  readonly prefixQueriedTokens: number;
  readonly prefixHitTokens: number;
  readonly evictedBlocks: number;
  /** By name, a live view; past a bound, later names are counted under one. */
  readonly tenants: ReadonlyMap<string, TenantCacheStats>;
  /** Blocks that pins hold. */
  readonly numPinnedBlocks: number;
  /** `null` without a host tier. */
  readonly hostTier: HostTierStats | null;
}

/** What {@link KvCacheManager.close} would do to a sequence now: what it costs to bring it back follows from that. */
export interface ClosingEstimate {
  /** Blocks that nobody else holds. */
  readonly numFreedBlocks: number;
  /** Leading tokens that others hold too: they stay, whoever needs room. */
  readonly numSharedTokens: number;
  /** Leading tokens that an `open` would find as long as nothing is evicted. */
  readonly numPublishedTokens: number;
}

/**
 * Owns every KV block of a session. Never touches device memory: it decides, transfers do.
 *
 * A sequence goes through `open -> (reserve, commit)* -> close`; `fork` opens a child.
 */
export interface KvCacheManager {
  readonly blockSize: number;
  /** Blocks that can be handed out (the null block is not counted). */
  readonly numBlocks: number;
  /** Blocks not referenced by any sequence; cached ones included. */
  readonly numFreeBlocks: number;
  readonly groups: readonly KvGroup[];

  /**
   * Hashes the full blocks of a prompt, so that neither `open` nor `commit` does. Touches no block; good for any number of
   * sequences and openings.
   */
  prepare(tokenIds: Int32Array, keys?: PrefixKeys): PreparedPrompt;

  /**
   * Starts a sequence and takes references on the longest cached prefix of `tokenIds`, at most `tokenIds.length - 1` tokens and whole blocks.
   * What only the host tier has is loaded, where that is worth it and there is room: its bytes are there when the transfers are done.
   * @returns Tokens whose keys and values are already there.
   * @throws {@link KvasirError} `ERR_DUPLICATE_SEQUENCE`; `ERR_INVALID_ARGUMENT` when `prepared` is of other keys or longer than `tokenIds`.
   */
  open(sequence: SequenceId, tokenIds: Int32Array, options?: OpenOptions): number;

  /** Tokens that `open` would find now, if all that a host tier has is worth loading. Holds nothing, counts nothing; hashes what `prepared` does not cover. */
  lookup(tokenIds: Int32Array, options?: OpenOptions): number;

  /**
   * What `close` would do. O(blocks of the sequence).
   * @throws {@link KvasirError} `ERR_UNKNOWN_SEQUENCE`.
   */
  estimateClosing(sequence: SequenceId): ClosingEstimate;

  /**
   * Makes room for the first `numTokens` tokens of `sequence` in every group.
   * @returns `false` when the pool cannot satisfy it; then nothing has changed.
   * @throws {@link KvasirError} `ERR_UNKNOWN_SEQUENCE`.
   */
  reserve(sequence: SequenceId, numTokens: number): boolean;

  /** Whether an idle pool could hold `numTokens` tokens of one sequence at all, beside the share that pins may take. */
  fits(numTokens: number): boolean;

  /**
   * Declares the first `numComputed` tokens final and computed: full blocks are published, blocks behind a window are released.
   * @param tokenIds - The sequence's tokens; the first `numComputed` are read, and are the same as in earlier calls as far as those went.
   */
  commit(sequence: SequenceId, tokenIds: ArrayLike<number>, numComputed: number): void;

  /** Rolls back to the first `numTokens` tokens and gives back blocks beyond them. */
  truncate(sequence: SequenceId, numTokens: number): void;

  /**
   * Opens `child` with the first `numTokens` tokens of `parent`; blocks are shared until one of them writes.
   * The copy of a shared, partly filled last block happens at the next `reserve` of whoever writes first.
   */
  fork(parent: SequenceId, child: SequenceId, numTokens: number): void;

  /** Ends a sequence and gives back its blocks, last first; published blocks stay cached until evicted. */
  close(sequence: SequenceId): void;

  /** Table of `sequence` in group `group`. */
  table(sequence: SequenceId, group: number): BlockTable;

  /** Forgets dirtiness of every table of `sequence`: the packer has sent it. */
  markSent(sequence: SequenceId): void;

  /** Hands over the transfers decided since the last call, in order; all belong before the KV writes of the next step. */
  takeTransfers(): readonly BlockTransfer[];

  /**
   * The step that carried `transfers` failed: nothing that they would have produced can be found any more.
   * @param transfers - What one call of {@link KvCacheManager.takeTransfers} returned.
   * @returns Open sequences that hold such blocks: to be closed without a further `commit`. Those of the failed step are among them.
   */
  abandonTransfers(transfers: readonly BlockTransfer[]): readonly SequenceId[];

  /** Forgets every cached prefix that no sequence holds, in every tier. Pins stay, and hold their blocks again once those are computed anew. */
  resetPrefixCache(): void;

  /**
   * Keeps the full blocks of a prefix from being evicted, from when they are computed on: in full groups all of them, in window
   * groups those that the next token sees. A pin of that name is replaced.
   * @throws {@link KvasirError} `ERR_PIN_LIMIT` when all pins together would exceed their share of the pool; then nothing has changed.
   */
  pin(name: string, tokenIds: Int32Array, keys?: PrefixKeys): void;

  /**
   * Ends a pin: its blocks stay cached as any others.
   * @returns `false` when there is none of that name.
   */
  unpin(name: string): boolean;

  /**
   * Follows what is cached. Without listeners nothing is made. A listener is called in the middle of a change: it must not
   * call this manager. One that throws is dropped, with a process warning.
   * @returns Ends the subscription.
   */
  subscribe(listener: (event: KvCacheEvent) => void): () => void;

  /** What is cached in `tier` now: where a follower starts, or starts again. Valid until the next call on the manager. */
  cachedBlocks(tier: KvCacheTier): Iterable<NamedBlock>;

  /**
   * Holds the published blocks of a sequence, or those found under `hashes`, so that their bytes can be read. Ids are of this
   * process only; content is named by hash, and bytes mean something only where the same weights made them by the same numerics.
   * Blocks that a step in flight loads are readable when it has succeeded.
   */
  exportBlocks(of: SequenceId | readonly BlockHash[]): BlockExport;

  /**
   * Takes blocks for content that comes from elsewhere. Names are given in the order of their chains, first block first.
   * @throws {@link KvasirError} `ERR_INVALID_ARGUMENT` for what is no hash or no group.
   */
  importBlocks(names: readonly BlockName[]): BlockImport;

  /** O(open sequences). */
  usage(): KvCacheUsage;

  /** Gauges of now, counters since the manager was made. */
  stats(): KvCacheStats;

  /** @throws {@link InvariantError} when the bookkeeping is inconsistent. O(blocks + tables). */
  checkIntegrity(): void;
}
