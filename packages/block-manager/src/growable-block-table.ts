import type { BlockId, BlockTable } from '@kvasir/interfaces';

const INITIAL_LENGTH = 4;

/** A {@link BlockTable} that its manager can change. Grows by doubling, so a running sequence rarely allocates. */
export class GrowableBlockTable implements BlockTable {
  ids = new Int32Array(INITIAL_LENGTH);
  length = 0;
  dirtyFrom = 0;

  push(block: BlockId): void {
    if (this.length === this.ids.length) {
      const grown = new Int32Array(2 * this.length);
      grown.set(this.ids);
      this.ids = grown;
    }
    this.ids[this.length] = block;
    if (this.dirtyFrom > this.length) this.dirtyFrom = this.length;
    this.length++;
  }

  pop(): BlockId {
    this.length--;
    if (this.dirtyFrom > this.length) this.dirtyFrom = this.length;
    return this.ids[this.length] as BlockId;
  }

  set(index: number, block: BlockId): void {
    this.ids[index] = block;
    if (this.dirtyFrom > index) this.dirtyFrom = index;
  }

  /** Whether any entry satisfies `test`. */
  some(test: (block: BlockId) => boolean): boolean {
    for (let entry = 0; entry < this.length; entry++) if (test(this.ids[entry] as BlockId)) return true;
    return false;
  }

  markSent(): void {
    this.dirtyFrom = this.length;
  }
}
