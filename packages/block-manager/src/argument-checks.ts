import { InvalidArgumentError, type KvGroup, NULL_BLOCK, type SequenceId } from '@kvasir/interfaces';
import type { SequenceBlocks } from './sequence-blocks.js';
import { firstVisibleBlock } from './window.js';

type CountedVerb = 'reserve' | 'commit' | 'truncate' | 'fork';

/** @throws `InvalidArgumentError` unless `got` is an integer from `min` to `max`. */
export function checkCount(verb: CountedVerb, id: SequenceId, got: number, min: number, max: number): void {
  if (Number.isInteger(got) && got >= min && got <= max) return;
  throw new InvalidArgumentError(
    verb === 'commit' ? 'numComputed' : 'numTokens',
    `${verb} of sequence ${id} with ${got} tokens: expected an integer from ${min} to ${max}${verb === 'commit' ? '; reserve() first' : ''}`,
  );
}

/** Going back to `numTokens` needs the blocks that a query there sees; behind a window they may be gone. */
export function checkVisible(
  verb: CountedVerb,
  sequence: SequenceBlocks,
  numTokens: number,
  groups: readonly KvGroup[],
  blockSize: number,
): void {
  groups.forEach((group, index) => {
    const first = firstVisibleBlock(group, numTokens, blockSize);
    const end = Math.ceil(numTokens / blockSize);
    if (first < end && sequence.tables[index]!.ids[first] === NULL_BLOCK) {
      throw new InvalidArgumentError(
        'numTokens',
        `${verb} of sequence ${sequence.id} to ${numTokens} tokens needs blocks that left the window of group ${index} (${sequence.numComputed} tokens are computed): open it again instead`,
      );
    }
  });
}
