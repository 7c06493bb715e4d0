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
   * @returns Tokens whose keys and values are already there.
   * @throws {@link KvasirError} `ERR_DUPLICATE_SEQUENCE`; `ERR_INVALID_ARGUMENT` when `prepared` is of other keys or longer than `tokenIds`.
   */
  open(sequence: SequenceId, tokenIds: Int32Array, options?: OpenOptions): number;

  /**
   * Makes room for the first `numTokens` tokens of `sequence` in every group.
   * @returns `false` when the pool cannot satisfy it; then nothing has changed.
   * @throws {@link KvasirError} `ERR_UNKNOWN_SEQUENCE`.
   */
  reserve(sequence: SequenceId, numTokens: number): boolean;

  /** Whether an idle pool could hold `numTokens` tokens of one sequence at all. */
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

  /** Forgets every cached prefix that no sequence holds. */
  resetPrefixCache(): void;

  /** Gauges of now, counters since the manager was made. */
  stats(): KvCacheStats;

  /** @throws {@link InvariantError} when the bookkeeping is inconsistent. O(blocks + tables). */
  checkIntegrity(): void;
}
