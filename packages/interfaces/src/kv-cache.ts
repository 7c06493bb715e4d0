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

/** A copy between blocks of one pool that must happen before the next step writes. */
export interface BlockCopy {
  readonly group: number;
  readonly src: BlockId;
  readonly dst: BlockId;
}

/** How {@link KvCacheManager.open} looks for a prefix. */
export interface OpenOptions {
  /** Keeps prefixes of one tenant from being seen by another. */
  readonly salt?: string;
  /** Extra key of every block (an adapter, say). */
  readonly extraKey?: string;
  /** Do not read the prefix cache (prompt logprobs need every position). Default `false`. */
  readonly skipPrefixRead?: boolean;
}

/** Counters since the manager was made. */
export interface KvCacheStats {
  readonly numBlocks: number;
  readonly numFreeBlocks: number;
  readonly numCachedBlocks: number;
  /** Tokens asked for at `open`, and tokens found. */
  readonly prefixQueriedTokens: number;
  readonly prefixHitTokens: number;
  readonly evictedBlocks: number;
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
   * Starts a sequence and takes references on the longest cached prefix of `tokenIds`, at most `tokenIds.length - 1` tokens and whole blocks.
   * @returns Tokens whose keys and values are already there.
   * @throws {@link KvasirError} `ERR_DUPLICATE_SEQUENCE`.
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

  /** Hands over copies decided since the last call, in order; they belong before the writes of the next step. */
  takeCopies(): readonly BlockCopy[];

  /** Forgets every cached prefix that no sequence holds. */
  resetPrefixCache(): void;

  /** Gauges of now, counters since the manager was made. */
  stats(): KvCacheStats;

  /** @throws {@link InvariantError} when the bookkeeping is inconsistent. O(blocks + tables). */
  checkIntegrity(): void;
}
