import { type BlockId, type HostTierStats, InvariantError, NULL_BLOCK } from '@kvasir/interfaces';
import { FreeList } from './free-list.js';
import type { KvEventHub } from './kv-event-hub.js';
import type { HostTierOptions } from './options.js';
import { PrefixIndex } from './prefix-index.js';
import type { TransferQueue } from './transfer-queue.js';

/**
 * The second pool: what the first one evicts is stored here, and loaded when a prefix matches. Content stays when it is
 * loaded, so a block that is evicted again costs no second store.
 *
 * Every block is in one list, oldest first, unless it is held for a load that is being decided; blocks without content are
 * at the head. The pool evicts the last block of a chain first, so here too it is the oldest of its chain.
 */
export class HostTier {
  readonly index: PrefixIndex;
  readonly isWorthLoading: (numTokens: number, numBlocks: number) => boolean;
  /** Tokens found at `open` that the pool alone did not have. */
  numHitTokens = 0;
  readonly #numBlocks: number;
  readonly #lru: FreeList;
  readonly #transfers: TransferQueue;
  readonly #events: KvEventHub;
  #numStored = 0;
  #numLoaded = 0;
  #numEvicted = 0;

  constructor(options: HostTierOptions, transfers: TransferQueue, events: KvEventHub) {
    this.#numBlocks = options.numBlocks - 1;
    this.isWorthLoading = options.isWorthLoading ?? (() => true);
    this.index = new PrefixIndex(this.#numBlocks);
    this.#lru = new FreeList(this.#numBlocks);
    this.#transfers = transfers;
    this.#events = events;
  }

  /** Takes the content of pool block `src`, which is named at `words[at ..]`, unless it is here. */
  store(src: BlockId, words: Int32Array, at: number, group: number): void {
    const present = this.index.find(words, at, group);
    if (present !== NULL_BLOCK) {
      if (this.#lru.has(present)) this.#touch(present);
      return;
    }
    const dst = this.#lru.popHead();
    // All are held for the open that evicts `src` right now.
    if (dst === NULL_BLOCK) return;
    if (this.index.has(dst)) {
      this.#numEvicted++;
      this.#withdraw(dst);
    }
    this.index.insert(dst, words, at, group);
    this.#lru.pushTail(dst);
    this.#transfers.push('store', group, src, dst);
    this.#numStored++;
    this.#events.moved('host', group, words, at);
  }

  /** Keeps `block` out of the way of stores. */
  hold(block: BlockId): void {
    this.#lru.remove(block);
  }

  /** Loads held `block` into pool block `dst`. */
  load(block: BlockId, dst: BlockId): void {
    this.#transfers.push('load', this.index.groupOf(block), block, dst);
    this.#numLoaded++;
  }

  /** Ends a hold; the block is the most recently used now. */
  release(block: BlockId): void {
    this.#lru.pushTail(block);
  }

  /** Forgets what the transfers of these serials have brought or would bring. */
  forgetSpoilt(spoilt: ReadonlySet<number>, origins: Float64Array): void {
    for (let block = 1 as BlockId; block <= this.#numBlocks; block++) {
      if (!spoilt.has(origins[block]!) || !this.index.has(block)) continue;
      this.#withdraw(block);
      this.#lru.remove(block);
      this.#lru.pushHead(block);
    }
  }

  clear(): void {
    for (const block of this.#lru) if (this.index.has(block)) this.index.delete(block);
    this.#events.cleared('host');
  }

  stats(): HostTierStats {
    return {
      numBlocks: this.#numBlocks,
      numCachedBlocks: this.index.size,
      storedBlocks: this.#numStored,
      loadedBlocks: this.#numLoaded,
      evictedBlocks: this.#numEvicted,
      hitTokens: this.numHitTokens,
    };
  }

  checkIntegrity(): void {
    this.index.checkIntegrity();
    this.#lru.checkIntegrity();
    if (this.#lru.length !== this.#numBlocks) {
      throw new InvariantError('host blocks are still held', { listed: this.#lru.length, numBlocks: this.#numBlocks });
    }
  }

  #touch(block: BlockId): void {
    this.#lru.remove(block);
    this.#lru.pushTail(block);
  }

  #withdraw(block: BlockId): void {
    const { index } = this;
    this.#events.removed('host', index.groupOf(block), index.digests, index.digestOf(block));
    index.delete(block);
  }
}
