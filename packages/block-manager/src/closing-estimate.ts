import { type BlockId, type ClosingEstimate, NULL_BLOCK } from '@kvasir/interfaces';
import type { BlockPool } from './block-pool.js';
import type { SequenceBlocks } from './sequence-blocks.js';

/** What closing `sequence` would free and leave behind. O(blocks of the sequence). */
export function estimateClosing(pool: BlockPool, sequence: SequenceBlocks, blockSize: number): ClosingEstimate {
  const { tables, numPublished } = sequence;
  let numFreedBlocks = 0;
  let numShared = numPublished;
  for (const table of tables) {
    for (let entry = 0; entry < table.length; entry++) {
      const block = table.ids[entry] as BlockId;
      if (block === NULL_BLOCK || pool.numHolders(block) > 1) continue;
      numFreedBlocks++;
      if (entry < numShared) numShared = entry;
    }
  }
  return { numFreedBlocks, numSharedTokens: numShared * blockSize, numPublishedTokens: numPublished * blockSize };
}
