import { type BlockId, InvariantError, NULL_BLOCK } from '@kvasir/interfaces';

const OUTSIDE = -1;

/**
 * Ids of unreferenced blocks, oldest at the head. Doubly linked through two typed arrays, so that a block in the middle
 * leaves in O(1); the null block, which is never handed out, is the sentinel that closes the ring.
 *
 * ```
 * head = next[0] -> ... -> tail = prev[0]      next[b] = -1: b is not in the list
 * ```
 */
export class FreeList {
  readonly #next: Int32Array;
  readonly #prev: Int32Array;
  #length = 0;

  /** Starts with blocks `1 .. size`, lowest at the head. */
  constructor(size: number) {
    this.#next = new Int32Array(size + 1).fill(OUTSIDE);
    this.#prev = new Int32Array(size + 1).fill(OUTSIDE);
    this.#next[NULL_BLOCK] = NULL_BLOCK;
    this.#prev[NULL_BLOCK] = NULL_BLOCK;
    for (let block = 1; block <= size; block++) this.pushTail(block as BlockId);
  }

  get length(): number {
    return this.#length;
  }

  has(block: BlockId): boolean {
    return this.#next[block] !== OUTSIDE;
  }

  pushHead(block: BlockId): void {
    this.#link(block, NULL_BLOCK, this.#next[NULL_BLOCK]!);
  }

  pushTail(block: BlockId): void {
    this.#link(block, this.#prev[NULL_BLOCK]!, NULL_BLOCK);
  }

  /** Takes the head; {@link NULL_BLOCK} when the list is empty. */
  popHead(): BlockId {
    const block = this.#next[NULL_BLOCK] as BlockId;
    if (block !== NULL_BLOCK) this.remove(block);
    return block;
  }

  /** Takes `block` out from wherever it is; it must be in the list. */
  remove(block: BlockId): void {
    const before = this.#prev[block]!;
    const after = this.#next[block]!;
    this.#next[before] = after;
    this.#prev[after] = before;
    this.#next[block] = OUTSIDE;
    this.#prev[block] = OUTSIDE;
    this.#length--;
  }

  /** From head to tail. */
  *[Symbol.iterator](): Generator<BlockId> {
    for (let block = this.#next[NULL_BLOCK]!; block !== NULL_BLOCK; block = this.#next[block]!) yield block as BlockId;
  }

  checkIntegrity(): void {
    let length = 0;
    let before: number = NULL_BLOCK;
    for (const block of this) {
      if (this.#prev[block] !== before) {
        throw new InvariantError('free list is torn', { block, before, prev: this.#prev[block]! });
      }
      if (++length > this.#length) break;
      before = block;
    }
    if (length !== this.#length) {
      throw new InvariantError('free list has another length', { counted: length, length: this.#length });
    }
  }

  #link(block: BlockId, before: number, after: number): void {
    this.#prev[block] = before;
    this.#next[block] = after;
    this.#next[before] = block;
    this.#prev[after] = block;
    this.#length++;
  }
}
