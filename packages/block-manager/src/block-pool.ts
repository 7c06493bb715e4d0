import { type BlockId, InvariantError, NULL_BLOCK } from '@kvasir/interfaces';
import { FreeList } from './free-list.js';
import { PrefixIndex } from './prefix-index.js';

/**
 * The blocks of one pool: who holds them, what they are known to contain, which goes next.
 *
 * ```
 *              allocate                    publish
 *   free  ----------------> held, private ---------> held, published
 *     ^  \                     |      ^                 |       ^
 *     |   \ evicted on its way | release                | release | retain
 *     |    `-------------------+----- idle, published <-+---------'
 * ```
 * A private block goes back to the head of the free list (nothing is lost by using it next); a published one goes to the
 * tail and stays findable until it reaches the head. Every operation is O(1).
 *
 * **Leaves before parents.** In a full group, no block is evicted while a block that follows it in its chain is cached,
 * although nobody walks a chain. Of two blocks P and D of one chain, P before D:
 * - whoever holds D holds P: tables, pins and imports begin at the first block, and content is published once, so a table
 *   that names D's chain has P's very block;
 * - whoever gives both back gives D back first (`close`, `truncate`, `unpin`, a reader's rollback all go from the end).
 *
 * So when D became idle for the last time, P was held, and P joined the tail later: D is nearer to the head. In a window
 * group the blocks behind the window have no followers that need them, and their order is that of their release.
 */
export class BlockPool {
  /** Blocks that can be handed out: ids `1 .. size`. */
  readonly size: number;
  readonly index: PrefixIndex;
  /** By block: serial of the transfer that brought its content; 0 if it was computed. See `TransferQueue`. */
  readonly origins: Float64Array;
  /** Called with a published block that is about to lose its content; it can still be looked up then. */
  onEvict: ((block: BlockId) => void) | null = null;
  readonly #free: FreeList;
  readonly #refCounts: Int32Array;
  #numEvicted = 0;
  #numIdlePublished = 0;

  constructor(size: number) {
    this.size = size;
    this.index = new PrefixIndex(size);
    this.#free = new FreeList(size);
    this.origins = new Float64Array(size + 1);
    this.#refCounts = new Int32Array(size + 1);
  }

  get numFree(): number {
    return this.#free.length;
  }

  /** Published blocks that somebody holds. */
  get numHeldPublished(): number {
    return this.index.size - this.#numIdlePublished;
  }

  /** Published blocks that lost their content to a new holder. */
  get numEvicted(): number {
    return this.#numEvicted;
  }

  /** Hands out the least recently used free block; the caller has made sure that there is one. */
  allocate(): BlockId {
    const block = this.#free.popHead();
    if (block === NULL_BLOCK) throw new InvariantError('allocation from an empty pool', { size: this.size });
    if (this.index.has(block)) {
      this.onEvict?.(block);
      this.index.delete(block);
      this.#numIdlePublished--;
      this.#numEvicted++;
    }
    this.origins[block] = 0;
    this.#refCounts[block] = 1;
    return block;
  }

  /** Adds a holder; an idle block leaves the free list. */
  retain(block: BlockId): void {
    if (this.#refCounts[block] === 0) {
      this.#free.remove(block);
      if (this.index.has(block)) this.#numIdlePublished--;
    }
    this.#refCounts[block]!++;
  }

  /** Drops a holder; the last one gives the block back. */
  release(block: BlockId): void {
    const count = --this.#refCounts[block]!;
    if (count > 0) return;
    if (count < 0) throw new InvariantError('block released too often', { block, count });
    if (this.index.has(block)) {
      this.#free.pushTail(block);
      this.#numIdlePublished++;
    } else this.#free.pushHead(block);
  }

  numHolders(block: BlockId): number {
    return this.#refCounts[block]!;
  }

  /** A block may be written only by its one holder, and only while nobody can find it. */
  isWritable(block: BlockId): boolean {
    return this.#refCounts[block] === 1 && !this.index.has(block);
  }

  /** Takes away a published block's name. If nobody holds it, it is used next. */
  withdraw(block: BlockId): void {
    this.index.delete(block);
    if (this.#refCounts[block] !== 0) return;
    this.#free.remove(block);
    this.#free.pushHead(block);
    this.#numIdlePublished--;
  }

  /** Published blocks that nobody holds, those that are evicted first at the front. O(free blocks). */
  idlePublished(): BlockId[] {
    return [...this.#free].filter((block) => this.index.has(block));
  }

  /** @param holders - By block id: how many hold it. */
  checkIntegrity(holders: Int32Array): void {
    this.#free.checkIntegrity();
    this.index.checkIntegrity();
    const numIdle = this.idlePublished().length;
    if (numIdle !== this.#numIdlePublished) {
      throw new InvariantError('idle blocks are miscounted', { counted: numIdle, kept: this.#numIdlePublished });
    }
    if (this.#refCounts[NULL_BLOCK] !== 0 || holders[NULL_BLOCK] !== 0) {
      throw new InvariantError('the null block is held', { references: this.#refCounts[NULL_BLOCK]! });
    }
    for (let block = 1; block <= this.size; block++) {
      const references = this.#refCounts[block]!;
      if (references !== holders[block]) {
        throw new InvariantError('references differ from holders', { block, references, holders: holders[block]! });
      }
      if ((references === 0) !== this.#free.has(block as BlockId)) {
        throw new InvariantError('a block is either held or free', { block, references });
      }
    }
  }
}
