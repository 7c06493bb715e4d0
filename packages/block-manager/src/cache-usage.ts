import { type BlockId, type KvCacheUsage, NULL_BLOCK } from '@kvasir/interfaces';
import type { BlockPool } from './block-pool.js';
import type { SequenceBlocks } from './sequence-blocks.js';

/** Held and stored token places. Published blocks are full; only the others are looked at one by one. */
export function measureUsage(pool: BlockPool, sequences: Iterable<SequenceBlocks>, blockSize: number): KvCacheUsage {
  let storedTokens = pool.numHeldPublished * blockSize;
  // A block of several holders counts once, with the longest of what they know of it.
  const shared = new Map<BlockId, number>();
  for (const { tables, numPublished, numComputed } of sequences) {
    for (const table of tables) {
      for (let entry = numPublished; entry < table.length && entry * blockSize < numComputed; entry++) {
        const block = table.ids[entry] as BlockId;
        if (block === NULL_BLOCK || pool.index.has(block)) continue;
        const numTokens = Math.min(blockSize, numComputed - entry * blockSize);
        if (pool.numHolders(block) === 1) storedTokens += numTokens;
        else shared.set(block, Math.max(numTokens, shared.get(block) ?? 0));
      }
    }
  }
  for (const numTokens of shared.values()) storedTokens += numTokens;
  return { heldTokens: (pool.size - pool.numFree) * blockSize, storedTokens };
}
