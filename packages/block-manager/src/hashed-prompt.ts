import type { PreparedPrompt } from '@kvasir/interfaces';

/** A {@link PreparedPrompt} as this package makes it: the words of a hash chain, root first, and not one more. */
export class HashedPrompt implements PreparedPrompt {
  readonly numTokens: number;
  readonly numHashedBlocks: number;
  readonly words: Int32Array;

  constructor(numTokens: number, numHashedBlocks: number, words: Int32Array) {
    this.numTokens = numTokens;
    this.numHashedBlocks = numHashedBlocks;
    this.words = words;
  }
}
