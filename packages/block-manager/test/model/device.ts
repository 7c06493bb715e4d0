import type { BlockTable, BlockTransfer } from '@kvasir/interfaces';

/** Stands for device memory: what each token cell of each block holds. Knows nothing of how blocks are chosen. */
export class Device {
  readonly #blockSize: number;
  readonly #cells = new Map<number, string>();

  constructor(blockSize: number) {
    this.#blockSize = blockSize;
  }

  write(table: BlockTable, position: number, value: string): void {
    this.#cells.set(this.#cell(table, position), value);
  }

  read(table: BlockTable, position: number): string | undefined {
    return this.#cells.get(this.#cell(table, position));
  }

  copy({ src, dst }: BlockTransfer): void {
    for (let offset = 0; offset < this.#blockSize; offset++) {
      const value = this.#cells.get(src * this.#blockSize + offset);
      if (value === undefined) this.#cells.delete(dst * this.#blockSize + offset);
      else this.#cells.set(dst * this.#blockSize + offset, value);
    }
  }

  #cell(table: BlockTable, position: number): number {
    const block = table.ids[Math.floor(position / this.#blockSize)]!;
    if (block === 0) throw new Error(`position ${position} lies in the null block`);
    return block * this.#blockSize + (position % this.#blockSize);
  }
}
