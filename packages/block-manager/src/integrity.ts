import { type BlockId, InvariantError, type KvGroup, NULL_BLOCK } from '@kvasir/interfaces';
import type { BlockPool } from './block-pool.js';
import { HashChain } from './hash-chain.js';
import type { SequenceBlocks } from './sequence-blocks.js';
import { firstVisibleBlock } from './window.js';

/** Everything that a manager is made of. */
export interface Bookkeeping {
  readonly pool: BlockPool;
  readonly sequences: Iterable<SequenceBlocks>;
  /** Blocks held by others than sequences; once for each holder. */
  readonly otherHolders?: Iterable<BlockId>;
  readonly groups: readonly KvGroup[];
  readonly blockSize: number;
}

/** @throws `InvariantError` at the first inconsistency between tables, counts, hashes and the pool. */
export function checkBookkeeping({ pool, sequences, otherHolders = [], groups, blockSize }: Bookkeeping): void {
  const holders = new Int32Array(pool.size + 1);
  for (const block of otherHolders) holders[block]!++;
  const groupOf = new Int32Array(pool.size + 1).fill(-1);
  for (const sequence of sequences) {
    checkCounts(sequence, blockSize);
    groups.forEach((group, index) => {
      const first = firstVisibleBlock(group, sequence.numComputed, blockSize);
      const seen = new Set<number>();
      const table = sequence.tables[index]!;
      for (let entry = 0; entry < table.length; entry++) {
        const block = table.ids[entry] as BlockId;
        const facts = { sequence: sequence.id, group: index, entry, block, first };
        if ((block !== NULL_BLOCK) !== entry >= first) throw new InvariantError('blocks are not the window', facts);
        if (block === NULL_BLOCK) continue;
        if (block < 0 || block > pool.size) throw new InvariantError('block outside of the pool', facts);
        if (seen.has(block)) throw new InvariantError('block twice in a table', facts);
        if (groupOf[block] !== -1 && groupOf[block] !== index) throw new InvariantError('block in two groups', facts);
        seen.add(block);
        groupOf[block] = index;
        holders[block]!++;
        checkDigest(sequence, pool, entry, index);
      }
    });
  }
  pool.checkIntegrity(holders);
}

function checkCounts(sequence: SequenceBlocks, blockSize: number): void {
  const { id, numComputed, numReserved, numPublished, numBlocks, chain } = sequence;
  const facts = { sequence: id, numComputed, numReserved, numPublished, numBlocks, numHashed: chain?.length ?? 0 };
  if (!(numComputed >= 0 && numComputed <= numReserved)) throw new InvariantError('computed beyond reserved', facts);
  if (numBlocks !== Math.ceil(numReserved / blockSize)) throw new InvariantError('table length is not exact', facts);
  if (chain === null) return;
  if (numPublished !== Math.floor(numComputed / blockSize)) throw new InvariantError('full block not offered', facts);
  if (chain.length < numPublished) throw new InvariantError('published without a hash', facts);
  for (const table of sequence.tables) {
    if (table.length !== numBlocks || table.dirtyFrom > numBlocks) throw new InvariantError('tables differ', facts);
  }
}

function checkDigest(sequence: SequenceBlocks, pool: BlockPool, entry: number, group: number): void {
  const block = sequence.tables[group]!.ids[entry] as BlockId;
  const { chain, numPublished, isSpoilt } = sequence;
  if (chain === null || entry >= numPublished || isSpoilt) return;
  if (!pool.index.holds(block, chain.words, HashChain.wordOf(entry), group)) {
    throw new InvariantError('full block is not published under its digest', {
      sequence: sequence.id,
      group,
      entry,
      block,
    });
  }
}
