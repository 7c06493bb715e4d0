import type { ClosingEstimate } from '@kvasir/interfaces';

/** Loading a token from the host tier, in tokens computed: a copy is cheap, not free. */
const LOAD_COST = 1 / 8;

/** What the cost of bringing a sequence back depends on. */
export interface PreemptionView {
  readonly closing: ClosingEstimate;
  /** Tokens computed so far. */
  readonly numComputed: number;
  /** Whether it looks for a cached prefix when it comes back. */
  readonly readsCache: boolean;
}

/** What becomes of blocks that are given back. */
export interface PoolView {
  readonly blockSize: number;
  readonly numGroups: number;
  /** Blocks that others will take until it comes back. */
  readonly numWanted: number;
  /** Blocks of the host tier, to which evicted ones go; 0 without one. */
  readonly numTierBlocks: number;
}

/**
 * Tokens to compute again, or their worth, when a sequence is preempted now and comes back later.
 *
 * ```
 * computed   [ shared with others | published, its own     | not published ]
 * afterwards [ stays              | evicted from the end   | lost          ]
 * ```
 * The pool is nearly empty when someone is preempted, so the wanted blocks come out of those given back: first the ones that
 * nobody could find again, then published ones, last first. A host tier that is large enough keeps those.
 */
export function costToBringBack({ closing, numComputed, readsCache }: PreemptionView, pool: PoolView): number {
  if (!readsCache) return numComputed;
  const { blockSize, numGroups, numWanted, numTierBlocks } = pool;
  const published = Math.min(closing.numPublishedTokens, numComputed);
  const shared = Math.min(closing.numSharedTokens, published);
  const numOwnPublished = ((published - shared) / blockSize) * numGroups;
  const numUnpublished = Math.max(0, closing.numFreedBlocks - numOwnPublished);
  const numEvicted = Math.max(0, numWanted - numUnpublished);
  const stays = Math.max(shared, published - Math.ceil(numEvicted / numGroups) * blockSize);
  const isInTier = numTierBlocks >= (published / blockSize) * numGroups;
  return numComputed - published + (published - stays) * (isInTier ? LOAD_COST : 1);
}
