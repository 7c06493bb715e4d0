import { InvariantError, NULL_BLOCK } from '@kvasir/interfaces';

const WORDS = 4;
const EMPTY = -1;

/**
 * A KV pool whose cells say what they hold: group, token, position and a hash of the prefix up to them.
 * Reading a cell checks all four, so a wrong table entry, a missing copy, a stale or a freed block is found where it is used.
 */
export class SimulatedKv {
  readonly #blockSize: number;
  /** `[numBlocks, blockSize, WORDS]`. */
  readonly #cells: Int32Array;

  constructor(numBlocks: number, blockSize: number) {
    this.#blockSize = blockSize;
    this.#cells = new Int32Array(numBlocks * blockSize * WORDS).fill(EMPTY);
  }

  /** Copies one block over another, of this pool or from `source`. */
  copy(src: number, dst: number, source: SimulatedKv = this): void {
    const words = this.#blockSize * WORDS;
    this.#cells.set(source.#cells.slice(src * words, (src + 1) * words), dst * words);
  }

  /** Writes the token at `position` of a sequence through its table. */
  write(table: readonly number[], group: number, position: number, tokenId: number, prefix: number): void {
    const block = this.#block(table, group, position);
    const at = this.#at(block, position);
    this.#cells[at] = group;
    this.#cells[at + 1] = tokenId;
    this.#cells[at + 2] = position;
    this.#cells[at + 3] = prefix | 0;
  }

  /**
   * Reads the token at `position` through the table and returns its prefix hash.
   * @throws `InvariantError` If the cell does not hold what the sequence wrote there.
   */
  read(table: readonly number[], group: number, position: number, tokenId: number, prefix: number): number {
    const block = this.#block(table, group, position);
    const at = this.#at(block, position);
    const found = this.#cells.subarray(at, at + WORDS);
    if (found[0] !== group || found[1] !== tokenId || found[2] !== position || found[3] !== (prefix | 0)) {
      throw new InvariantError('a KV cell does not hold what its sequence wrote', {
        block,
        group,
        position,
        tokenId,
        foundGroup: found[0]!,
        foundTokenId: found[1]!,
        foundPosition: found[2]!,
        samePrefix: found[3] === (prefix | 0),
      });
    }
    return found[3]! >>> 0;
  }

  /** A copy of a block's cells as bytes. */
  readBlock(block: number): Uint8Array {
    const words = this.#blockSize * WORDS;
    return new Uint8Array(this.#cells.slice(block * words, (block + 1) * words).buffer);
  }

  /** Overwrites a block's cells. */
  writeBlock(block: number, bytes: Uint8Array): void {
    const words = new Int32Array(bytes.slice().buffer);
    this.#cells.set(words, block * this.#blockSize * WORDS);
  }

  /** Bytes of a block. */
  get blockBytes(): number {
    return this.#blockSize * WORDS * Int32Array.BYTES_PER_ELEMENT;
  }

  #block(table: readonly number[], group: number, position: number): number {
    const index = Math.floor(position / this.#blockSize);
    const block = table[index];
    if (block === undefined || block === NULL_BLOCK) {
      throw new InvariantError('a visible position has no block', { group, position, index, block: block ?? EMPTY });
    }
    return block;
  }

  #at(block: number, position: number): number {
    return (block * this.#blockSize + (position % this.#blockSize)) * WORDS;
  }
}
