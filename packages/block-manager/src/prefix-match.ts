import { type KvGroup, NULL_BLOCK } from '@kvasir/interfaces';
import type { BlockHasher } from './block-hasher.js';
import { HashChain } from './hash-chain.js';
import type { PrefixIndex } from './prefix-index.js';
import { firstVisibleBlock } from './window.js';

/** What a lookup reads. */
export interface PrefixQuery {
  /** A block is cached when one of these has it. */
  readonly indexes: readonly PrefixIndex[];
  readonly hasher: BlockHasher;
  readonly groups: readonly KvGroup[];
  readonly blockSize: number;
  /** Extended as far as the lookup goes. */
  readonly chain: HashChain;
  readonly tokenIds: ArrayLike<number>;
  /** Longest prefix wanted. Default: as long as possible. */
  readonly maxBlocks?: number;
}

/**
 * Finds the longest prefix, in blocks, from which the sequence can go on in every group: full groups need all of its
 * blocks, window groups those that the next token still sees. At least one token is left to compute.
 */
export function matchPrefix(query: PrefixQuery): number {
  const whole = Math.max(0, Math.floor((query.tokenIds.length - 1) / query.blockSize));
  let numBlocks = Math.min(whole, query.maxBlocks ?? whole);
  numBlocks = matchFullGroups(query, numBlocks);
  // A group that gives way may take the ground from under one that had agreed; lengths only shrink, so this ends.
  for (let before = -1; before !== numBlocks; ) {
    before = numBlocks;
    for (let group = 0; group < query.groups.length; group++) {
      if (query.groups[group]!.kind === 'window') numBlocks = matchWindowGroup(query, group, numBlocks);
    }
  }
  // A window of 1 is content with any length and has asked for no hash.
  query.hasher.extend(query.chain, query.tokenIds, numBlocks);
  return numBlocks;
}

/** From the front: the first block that any full group lacks ends the prefix, and ends the hashing. Without such a group there is no end. */
function matchFullGroups(query: PrefixQuery, limit: number): number {
  for (let block = 0; block < limit; block++) {
    for (let group = 0; group < query.groups.length; group++) {
      if (query.groups[group]!.kind === 'full' && !isCached(query, group, block)) return block;
    }
  }
  return limit;
}

/** From the back: a missing block within the window ends the candidate there. Visits each block once. */
function matchWindowGroup(query: PrefixQuery, group: number, limit: number): number {
  const spec = query.groups[group]!;
  let numBlocks = limit;
  for (let block = limit - 1; block >= firstVisibleBlock(spec, numBlocks * query.blockSize, query.blockSize); block--) {
    if (!isCached(query, group, block)) numBlocks = block;
  }
  return numBlocks;
}

function isCached(query: PrefixQuery, group: number, block: number): boolean {
  query.hasher.extend(query.chain, query.tokenIds, block + 1);
  for (const index of query.indexes) {
    if (index.find(query.chain.words, HashChain.wordOf(block), group) !== NULL_BLOCK) return true;
  }
  return false;
}
