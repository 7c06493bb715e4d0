import type { BlockId, BlockTable, BlockTransfer, KvCacheTier } from '@kvasir/interfaces';

/** Stands for pool and host memory: what each token cell of each block holds. Knows nothing of how blocks are chosen. */
export class Device {
  readonly #blockSize: number;
  readonly #cells: Readonly<Record<KvCacheTier, Map<number, string>>> = { pool: new Map(), host: new Map() };

  constructor(blockSize: number) {
    this.#blockSize = blockSize;
  }

  write(table: BlockTable, position: number, value: string): void {
    this.writeCell(blockAt(table, position, this.#blockSize), position % this.#blockSize, value);
  }

  read(table: BlockTable, position: number): string | undefined {
    return this.readCell('pool', blockAt(table, position, this.#blockSize), position % this.#blockSize);
  }

  writeCell(block: BlockId, offset: number, value: string): void {
    this.#cells.pool.set(block * this.#blockSize + offset, value);
  }

  readCell(tier: KvCacheTier, block: BlockId, offset: number): string | undefined {
    return this.#cells[tier].get(block * this.#blockSize + offset);
  }

  /** Runs transfers in order. */
  run(transfers: readonly BlockTransfer[]): void {
    for (const { op, src, dst } of transfers) {
      const from = this.#cells[op === 'load' ? 'host' : 'pool'];
      const to = this.#cells[op === 'store' ? 'host' : 'pool'];
      for (let offset = 0; offset < this.#blockSize; offset++) {
        const value = from.get(src * this.#blockSize + offset);
        if (value === undefined) to.delete(dst * this.#blockSize + offset);
        else to.set(dst * this.#blockSize + offset, value);
      }
    }
  }

  /** What a step leaves that failed halfway: nobody knows what. */
  lose(transfers: readonly BlockTransfer[]): void {
    for (const { op, dst } of transfers) {
      const cells = this.#cells[op === 'store' ? 'host' : 'pool'];
      for (let offset = 0; offset < this.#blockSize; offset++) cells.set(dst * this.#blockSize + offset, 'garbage');
    }
  }
}

function blockAt(table: BlockTable, position: number, blockSize: number): BlockId {
  const block = table.ids[Math.floor(position / blockSize)]! as BlockId;
  if (block === 0) throw new Error(`position ${position} lies in the null block`);
  return block;
}
