import type { KvGroup } from '@kvasir/interfaces';

/** First block that a query at position `numTokens` or later can see in `group`. */
export function firstVisibleBlock(group: KvGroup, numTokens: number, blockSize: number): number {
  if (group.kind === 'full') return 0;
  return Math.floor(Math.max(0, numTokens - (group.window as number) + 1) / blockSize);
}

/**
 * Most blocks that one sequence of up to `numTokens` tokens holds in `group` while it advances token by token.
 * A window of w tokens touches at most ceil((w - 1) / blockSize) + 1 blocks, wherever it starts.
 */
export function maxVisibleBlocks(group: KvGroup, numTokens: number, blockSize: number): number {
  const whole = Math.ceil(numTokens / blockSize);
  if (group.kind === 'full') return whole;
  return Math.min(whole, Math.ceil(((group.window as number) - 1) / blockSize) + 1);
}
