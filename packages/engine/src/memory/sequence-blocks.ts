import type { KvGroup } from '@kvasir/interfaces';

/** What a sequence takes of the pool. */
export interface SequenceShape {
  readonly kvGroups: readonly KvGroup[];
  readonly blockSize: number;
  /** Tokens of the sequence. */
  readonly length: number;
  readonly maxNumBatchedTokens: number;
}

/** Blocks that a sequence of `length` tokens holds at most, over all groups. */
export function blocksOfSequence({ kvGroups, blockSize, length, maxNumBatchedTokens }: SequenceShape): number {
  return kvGroups.reduce(
    (sum, group) => sum + Math.ceil(tokensKept(group, length, maxNumBatchedTokens) / blockSize),
    0,
  );
}

/** A window group keeps its window, the chunk being computed, and a block that is only partly behind. */
function tokensKept({ window }: KvGroup, length: number, maxNumBatchedTokens: number): number {
  return window === undefined ? length : Math.min(length, window + maxNumBatchedTokens);
}
