import { type BlockId, InvariantError, NULL_BLOCK } from '@kvasir/interfaces';
import { DIGEST_WORDS } from './hash-chain.js';

const UNPUBLISHED = -1;

/**
 * Finds the block that holds given content: (digest, group) -> block, as an open-addressing table over typed arrays.
 * The first digest word places a key; all 256 bits and the group decide equality, so a clash of places costs a probe
 * and never a wrong block. Deletion shifts the following run back, so there are no tombstones.
 */
export class PrefixIndex {
  /** Block at each place, {@link NULL_BLOCK} for none; at most half full. */
  readonly #places: Int32Array;
  readonly #mask: number;
  /** Digest of each published block, by block id; see {@link PrefixIndex.digestOf}. */
  readonly digests: Int32Array;
  /** Group of each published block, by block id. */
  readonly #groups: Int32Array;
  #size = 0;

  constructor(numBlocks: number) {
    const capacity = 2 ** Math.ceil(Math.log2(2 * numBlocks + 2));
    this.#places = new Int32Array(capacity);
    this.#mask = capacity - 1;
    this.digests = new Int32Array(DIGEST_WORDS * (numBlocks + 1));
    this.#groups = new Int32Array(numBlocks + 1).fill(UNPUBLISHED);
  }

  get size(): number {
    return this.#size;
  }

  has(block: BlockId): boolean {
    return this.#groups[block] !== UNPUBLISHED;
  }

  /** Where in {@link PrefixIndex.digests} the digest of a published block begins. */
  digestOf(block: BlockId): number {
    return DIGEST_WORDS * block;
  }

  /** Group of a published block. */
  groupOf(block: BlockId): number {
    return this.#groups[block]!;
  }

  /** Every published block. */
  *blocks(): Generator<BlockId> {
    for (let block = 1 as BlockId; block < this.#groups.length; block++) if (this.has(block)) yield block;
  }

  /** Block with the digest at `words[at ..]` in `group`, else {@link NULL_BLOCK}. */
  find(words: Int32Array, at: number, group: number): BlockId {
    return this.#places[this.#place(words, at, group)] as BlockId;
  }

  /** Whether published `block` has the digest at `words[at ..]` in `group`. */
  holds(block: BlockId, words: Int32Array, at: number, group: number): boolean {
    if (this.#groups[block] !== group) return false;
    const own = DIGEST_WORDS * block;
    for (let word = 0; word < DIGEST_WORDS; word++) {
      if (this.digests[own + word] !== words[at + word]) return false;
    }
    return true;
  }

  /**
   * Publishes `block` under a key.
   * @returns `false` when another block has the key; then nothing has changed.
   */
  insert(block: BlockId, words: Int32Array, at: number, group: number): boolean {
    const place = this.#place(words, at, group);
    if (this.#places[place] !== NULL_BLOCK) return false;
    for (let word = 0; word < DIGEST_WORDS; word++) this.digests[DIGEST_WORDS * block + word] = words[at + word]!;
    this.#groups[block] = group;
    this.#places[place] = block;
    this.#size++;
    return true;
  }

  /** Withdraws a published block. */
  delete(block: BlockId): void {
    let hole = this.#place(this.digests, DIGEST_WORDS * block, this.#groups[block]!);
    for (let at = (hole + 1) & this.#mask; ; at = (at + 1) & this.#mask) {
      const moved = this.#places[at]!;
      if (moved === NULL_BLOCK) break;
      const home = this.#home(this.digests, DIGEST_WORDS * moved, this.#groups[moved]!);
      // Moving back is allowed only if the hole lies on the way from its home to where it is now.
      if (((at - home) & this.#mask) >= ((at - hole) & this.#mask)) {
        this.#places[hole] = moved;
        hole = at;
      }
    }
    this.#places[hole] = NULL_BLOCK;
    this.#groups[block] = UNPUBLISHED;
    this.#size--;
  }

  checkIntegrity(): void {
    let published = 0;
    for (let block = 1; block < this.#groups.length; block++) {
      const group = this.#groups[block]!;
      if (group === UNPUBLISHED) continue;
      published++;
      const found = this.find(this.digests, DIGEST_WORDS * block, group);
      if (found !== block) throw new InvariantError('published block cannot be found', { block, group, found });
    }
    const placed = this.#places.reduce((count, block) => count + (block === NULL_BLOCK ? 0 : 1), 0);
    if (published !== this.#size || placed !== this.#size) {
      throw new InvariantError('prefix index has another size', { published, placed, size: this.#size });
    }
  }

  #home(words: Int32Array, at: number, group: number): number {
    return (words[at]! ^ Math.imul(group, 0x9e3779b1)) & this.#mask;
  }

  /** Where the key is, or where it would go. */
  #place(words: Int32Array, at: number, group: number): number {
    let place = this.#home(words, at, group);
    for (;;) {
      const block = this.#places[place] as BlockId;
      if (block === NULL_BLOCK || this.holds(block, words, at, group)) return place;
      place = (place + 1) & this.#mask;
    }
  }
}
