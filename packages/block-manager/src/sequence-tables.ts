import { type BlockId, type KvGroup, NULL_BLOCK } from '@kvasir/interfaces';
import type { BlockPool } from './block-pool.js';
import type { GrowableBlockTable } from './growable-block-table.js';
import type { SequenceBlocks } from './sequence-blocks.js';
import type { TransferQueue } from './transfer-queue.js';
import { firstVisibleBlock } from './window.js';

/** What {@link SequenceTables} work on. */
export interface SequenceTablesParts {
  readonly pool: BlockPool;
  readonly transfers: TransferQueue;
  readonly groups: readonly KvGroup[];
  readonly blockSize: number;
}

/**
 * Moves blocks between the pool and the tables of sequences. A table names each of its blocks once, and holds it; behind a
 * window it names the null block, which nobody holds.
 */
export class SequenceTables {
  readonly #pool: BlockPool;
  readonly #transfers: TransferQueue;
  readonly #groups: readonly KvGroup[];
  readonly #blockSize: number;

  constructor({ pool, transfers, groups, blockSize }: SequenceTablesParts) {
    this.#pool = pool;
    this.#transfers = transfers;
    this.#groups = groups;
    this.#blockSize = blockSize;
  }

  /**
   * Makes room for `numTokens` in every table; what will be written and is shared is copied first.
   * @returns `false` when the pool has too few blocks; then nothing was changed.
   */
  grow({ numComputed, tables, numBlocks: length }: SequenceBlocks, numTokens: number): boolean {
    const numBlocks = Math.ceil(numTokens / this.#blockSize);
    // Blocks that exist and will be written: from the first uncomputed token on.
    const firstWritten = numTokens > numComputed ? Math.floor(numComputed / this.#blockSize) : numBlocks;
    let needed = tables.length * Math.max(0, numBlocks - length);
    for (let group = 0; group < tables.length; group++) {
      const table = tables[group]!;
      for (let entry = firstWritten; entry < numBlocks && entry < table.length; entry++) {
        if (!this.#pool.isWritable(table.ids[entry] as BlockId)) needed++;
      }
    }
    if (needed > this.#pool.numFree) return false;
    if (needed === 0) return true;
    for (let group = 0; group < tables.length; group++) {
      const table = tables[group]!;
      for (let entry = firstWritten; entry < numBlocks && entry < table.length; entry++) {
        if (!this.#pool.isWritable(table.ids[entry] as BlockId)) this.#copyOnWrite(table, group, entry);
      }
      while (table.length < numBlocks) table.push(this.#pool.allocate());
    }
    return true;
  }

  /** Lets `child`, which is empty, hold what a sequence of `numTokens` sees of `parent`. */
  share(parent: SequenceBlocks, child: SequenceBlocks, numTokens: number): void {
    const numBlocks = Math.ceil(numTokens / this.#blockSize);
    this.#groups.forEach((group, index) => {
      const first = firstVisibleBlock(group, numTokens, this.#blockSize);
      for (let entry = 0; entry < numBlocks; entry++) {
        const block = entry < first ? NULL_BLOCK : (parent.tables[index]!.ids[entry] as BlockId);
        if (block !== NULL_BLOCK) this.#pool.retain(block);
        child.tables[index]!.push(block);
      }
    });
  }

  /** Gives back what lies behind the windows of the next token. */
  releaseBehindWindows({ tables, numComputed }: SequenceBlocks): void {
    for (let group = 0; group < this.#groups.length; group++) {
      const table = tables[group]!;
      let entry = firstVisibleBlock(this.#groups[group]!, numComputed, this.#blockSize) - 1;
      for (; entry >= 0 && table.ids[entry] !== NULL_BLOCK; entry--) {
        this.#pool.release(table.ids[entry] as BlockId);
        table.set(entry, NULL_BLOCK);
      }
    }
  }

  /** Gives back table entries from `numBlocks` on, last first, so that prefixes outlive what hangs on them. */
  releaseFrom(sequence: SequenceBlocks, numBlocks: number): void {
    const { tables } = sequence;
    while (sequence.numBlocks > numBlocks) {
      for (let group = tables.length - 1; group >= 0; group--) {
        const block = tables[group]!.pop();
        if (block !== NULL_BLOCK) this.#pool.release(block);
      }
    }
  }

  #copyOnWrite(table: GrowableBlockTable, group: number, entry: number): void {
    const src = table.ids[entry] as BlockId;
    const dst = this.#pool.allocate();
    table.set(entry, dst);
    this.#transfers.push('copy', group, src, dst);
    this.#pool.release(src);
  }
}
