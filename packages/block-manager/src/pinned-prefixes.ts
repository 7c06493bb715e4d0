import { type BlockId, InvariantError, NULL_BLOCK } from '@kvasir/interfaces';
import type { BlockPool } from './block-pool.js';
import { digestText } from './digest-text.js';
import { PinLimitError } from './errors.js';

/** A block that a pin wants. */
export interface PinTarget {
  /** Where its digest is. */
  readonly words: Int32Array;
  readonly at: number;
  readonly group: number;
}

/** One wanted content, shared by all pins that want it. */
interface PinEntry {
  readonly key: string;
  /** {@link NULL_BLOCK} until it is computed. */
  block: BlockId;
  numPins: number;
}

/**
 * Content that stays. A pin is a wish: it holds what is there at once and the rest as it is published. Pins are a holder of
 * blocks like a sequence is, so what they hold is neither free nor evicted.
 */
export class PinnedPrefixes {
  readonly #pool: BlockPool;
  readonly #maxBlocks: number;
  readonly #pins = new Map<string, readonly PinEntry[]>();
  readonly #entries = new Map<string, PinEntry>();
  #numHeld = 0;

  constructor(pool: BlockPool, maxBlocks: number) {
    this.#pool = pool;
    this.#maxBlocks = maxBlocks;
  }

  get numHeld(): number {
    return this.#numHeld;
  }

  /** Blocks that pins hold, each once. */
  *held(): Generator<BlockId> {
    for (const { block } of this.#entries.values()) if (block !== NULL_BLOCK) yield block;
  }

  /** @param targets - First block first, so that what is given back later goes last block first. */
  pin(name: string, targets: readonly PinTarget[]): void {
    const keys = targets.map(({ words, at, group }) => keyOf(words, at, group));
    const numBlocks = this.#countAfter(name, keys);
    if (numBlocks > this.#maxBlocks) throw new PinLimitError(name, numBlocks, this.#maxBlocks);
    const entries = targets.map(({ words, at, group }, i) => {
      const entry = this.#entries.get(keys[i]!) ?? { key: keys[i]!, block: NULL_BLOCK, numPins: 0 };
      this.#entries.set(entry.key, entry);
      entry.numPins++;
      if (entry.block === NULL_BLOCK) this.#hold(entry, this.#pool.index.find(words, at, group));
      return entry;
    });
    this.unpin(name);
    this.#pins.set(name, entries);
  }

  unpin(name: string): boolean {
    const entries = this.#pins.get(name);
    if (entries === undefined) return false;
    this.#pins.delete(name);
    for (const entry of entries.toReversed()) {
      if (--entry.numPins > 0) continue;
      this.#entries.delete(entry.key);
      this.#letGo(entry);
    }
    return true;
  }

  /** `block` can be found from now on; its digest is at `words[at ..]`. */
  onPublished(block: BlockId, words: Int32Array, at: number, group: number): void {
    if (this.#numHeld === this.#entries.size) return;
    const entry = this.#entries.get(keyOf(words, at, group));
    if (entry !== undefined && entry.block === NULL_BLOCK) this.#hold(entry, block);
  }

  /** Gives back the blocks that satisfy `test`; the pins wait for that content again. */
  letGoWhere(test: (block: BlockId) => boolean): void {
    for (const entry of this.#entries.values()) if (entry.block !== NULL_BLOCK && test(entry.block)) this.#letGo(entry);
  }

  checkIntegrity(): void {
    const held = [...this.held()];
    if (held.length !== this.#numHeld || this.#entries.size > this.#maxBlocks) {
      throw new InvariantError('pins are miscounted', {
        held: held.length,
        numHeld: this.#numHeld,
        numEntries: this.#entries.size,
        maxBlocks: this.#maxBlocks,
      });
    }
    for (const { key, block, numPins } of this.#entries.values()) {
      const { index } = this.#pool;
      if (numPins < 1) throw new InvariantError('pinned by nobody', { key });
      if (block === NULL_BLOCK) continue;
      if (!index.has(block) || keyOf(index.digests, index.digestOf(block), index.groupOf(block)) !== key) {
        throw new InvariantError('a pin holds other content', { key, block });
      }
    }
  }

  #countAfter(name: string, keys: readonly string[]): number {
    const wanted = new Set(keys);
    for (const [other, entries] of this.#pins) {
      if (other !== name) for (const { key } of entries) wanted.add(key);
    }
    return wanted.size;
  }

  #hold(entry: PinEntry, block: BlockId): void {
    if (block === NULL_BLOCK) return;
    this.#pool.retain(block);
    entry.block = block;
    this.#numHeld++;
  }

  #letGo(entry: PinEntry): void {
    if (entry.block === NULL_BLOCK) return;
    this.#pool.release(entry.block);
    entry.block = NULL_BLOCK;
    this.#numHeld--;
  }
}

function keyOf(words: Int32Array, at: number, group: number): string {
  return `${digestText(words, at)}:${group}`;
}
