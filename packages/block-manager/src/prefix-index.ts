import { type BlockId, InvariantError, NULL_BLOCK } from '@kvasir/interfaces';
import { DIGEST_WORDS } from './hash-chain.js';

const UNPUBLISHED = -1;

/**
 * Finds the block that holds given content: (digest, group) -> block, as an open-addressing table over typed arrays.
 * The first digest word places a key; all 256 bits and the group decide equality, so a clash of places costs a probe
 * and never a wrong block. Deletion shifts the following run back, so there are no tombstones.
 */
export class PrefixIndex {
  /**
   * Two words a place: the block, {@link NULL_BLOCK} for none, and the hash that placed it, so that passing by reads no digest.
   * At most half of the places are taken.
   */
  readonly #places: Int32Array;
  readonly #mask: number;
  /** Digest of each published block, by block id; see {@link PrefixIndex.digestOf}. */
  readonly digests: Int32Array;
  /** Group of each published block, by block id. */
  readonly #groups: Int32Array;
  #size = 0;

  constructor(numBlocks: number) {
    const capacity = 2 ** Math.ceil(Math.log2(2 * numBlocks + 2));
    this.#places = new Int32Array(2 * capacity);
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
    return this.#places[2 * this.#place(words, at, group)] as BlockId;
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
    if (this.#places[2 * place] !== NULL_BLOCK) return false;
    for (let word = 0; word < DIGEST_WORDS; word++) this.digests[DIGEST_WORDS * block + word] = words[at + word]!;
    this.#groups[block] = group;
    this.#places[2 * place] = block;
    this.#places[2 * place + 1] = hashOf(words, at, group);
    this.#size++;
    return true;
  }

  /** Withdraws a published block. */
  delete(block: BlockId): void {
    let hole = this.#place(this.digests, DIGEST_WORDS * block, this.#groups[block]!);
    for (let at = (hole + 1) & this.#mask; ; at = (at + 1) & this.#mask) {
      if (this.#places[2 * at] === NULL_BLOCK) break;
      const home = this.#places[2 * at + 1]! & this.#mask;
      // Moving back is allowed only if the hole lies on the way from its home to where it is now.
      if (((at - home) & this.#mask) >= ((at - hole) & this.#mask)) {
        this.#places[2 * hole] = this.#places[2 * at]!;
        this.#places[2 * hole + 1] = this.#places[2 * at + 1]!;
        hole = at;
      }
    }
    this.#places[2 * hole] = NULL_BLOCK;
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
    let placed = 0;
    for (let place = 0; place <= this.#mask; place++) if (this.#places[2 * place] !== NULL_BLOCK) placed++;
    if (published !== this.#size || placed !== this.#size) {
      throw new InvariantError('prefix index has another size', { published, placed, size: this.#size });
    }
  }

  /** Where the key is, or where it would go. */
  #place(words: Int32Array, at: number, group: number): number {
    const hash = hashOf(words, at, group);
    for (let place = hash & this.#mask; ; place = (place + 1) & this.#mask) {
      const block = this.#places[2 * place] as BlockId;
      if (block === NULL_BLOCK) return place;
      if (this.#places[2 * place + 1] === hash && this.holds(block, words, at, group)) return place;
    }
  }
}

/** Digests are as random as a hash gets: one word places them. */
function hashOf(words: Int32Array, at: number, group: number): number {
  return words[at]! ^ Math.imul(group, 0x9e3779b1);
}
