import type { KvCacheManager } from '@kvasir/interfaces';

/**
 * Blocks that a sequence of `numTokens` tokens keeps once it is computed: all in a full group, those of the window in
 * a window group. An estimate that admission weighs against free blocks; what counts in the end is `reserve`.
 */
export function blocksToHold(kvCache: KvCacheManager, numTokens: number): number {
  const { blockSize, groups } = kvCache;
  const whole = Math.ceil(numTokens / blockSize);
  let blocks = 0;
  for (let group = 0; group < groups.length; group++) {
    const window = groups[group]!.window ?? numTokens;
    blocks += Math.min(whole, Math.ceil(window / blockSize) + 1);
  }
  return blocks;
}
