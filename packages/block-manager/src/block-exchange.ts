import {
  type BlockExport,
  type BlockHash,
  type BlockId,
  type BlockImport,
  type BlockName,
  InvalidArgumentError,
  type KvCacheTier,
  type NamedBlock,
  NULL_BLOCK,
} from '@kvasir/interfaces';
import { digestText, parseDigest } from './digest-text.js';
import { HashChain } from './hash-chain.js';
import type { PublishedBlocks } from './published-blocks.js';

/** A block that an import holds. `isNew`: its bytes are to be written. */
interface ImportedBlock extends BlockName {
  block: BlockId;
  readonly words: Int32Array;
  readonly isNew: boolean;
}

/** Blocks that leave for another process or come from one, named by content. Holds them meanwhile, as a sequence does. */
export class BlockExchange {
  readonly #blocks: PublishedBlocks;
  readonly #numGroups: number;
  readonly #holds = new Set<readonly NamedBlock[]>();

  constructor(blocks: PublishedBlocks, numGroups: number) {
    this.#blocks = blocks;
    this.#numGroups = numGroups;
  }

  /** Blocks held here; one may come more than once. */
  *held(): Generator<BlockId> {
    for (const hold of this.#holds) for (const { block } of hold) yield block;
  }

  *list(tier: KvCacheTier): Generator<NamedBlock> {
    const index = tier === 'pool' ? this.#blocks.pool.index : this.#blocks.tier?.index;
    if (index === undefined) return;
    for (const block of index.blocks()) {
      yield { hash: digestText(index.digests, index.digestOf(block)), group: index.groupOf(block), block };
    }
  }

  /** Holds what is found of the first `numBlocks` blocks of `chain`. */
  exportChain(chain: HashChain, numBlocks: number): BlockExport {
    const blocks: NamedBlock[] = [];
    for (let entry = 0; entry < numBlocks; entry++) this.#collect(chain.words, HashChain.wordOf(entry), blocks);
    return this.#hold(blocks);
  }

  exportNamed(hashes: readonly BlockHash[]): BlockExport {
    const blocks: NamedBlock[] = [];
    for (const hash of new Set(hashes)) this.#collect(parseHash(hash), 0, blocks);
    return this.#hold(blocks);
  }

  import(names: readonly BlockName[], tenant: number): BlockImport {
    const digests = new Map(names.map((name) => [`${name.hash}:${name.group}`, { name, words: this.#parse(name) }]));
    const { pool } = this.#blocks;
    // What is there is held before anything is allocated, so that an import evicts none of it.
    const asked = [...digests.values()].map(({ name: { hash, group }, words }) => {
      const present = this.#blocks.find(words, 0, group);
      if (present !== NULL_BLOCK) pool.retain(present);
      return { hash, group, words, present };
    });
    const held: ImportedBlock[] = [];
    for (const { hash, group, words, present } of asked) {
      const isNew = present === NULL_BLOCK;
      if (isNew && pool.numFree === 0) continue;
      held.push({ hash, group, words, block: isNew ? pool.allocate() : present, isNew });
    }
    this.#holds.add(held);
    const blocks = held.filter(({ isNew }) => isNew).map(({ hash, group, block }) => ({ hash, group, block }));
    return {
      blocks,
      commit: () => {
        if (this.#holds.has(held)) for (const each of held) if (each.isNew) this.#publish(each, tenant);
        this.#release(held);
      },
      abort: () => this.#release(held),
    };
  }

  #collect(words: Int32Array, at: number, blocks: NamedBlock[]): void {
    for (let group = 0; group < this.#numGroups; group++) {
      const block = this.#blocks.find(words, at, group);
      if (block !== NULL_BLOCK) blocks.push({ hash: digestText(words, at), group, block });
    }
  }

  #hold(blocks: readonly NamedBlock[]): BlockExport {
    for (const { block } of blocks) this.#blocks.pool.retain(block);
    this.#holds.add(blocks);
    return { blocks, release: () => this.#release(blocks) };
  }

  /** Whoever computed the same content meanwhile keeps its own block, which then is held instead: it goes idle with its followers. */
  #publish(imported: ImportedBlock, tenant: number): void {
    const { block, words, group } = imported;
    if (this.#blocks.publish(block, words, 0, group, tenant)) {
      this.#blocks.events.moved('pool', group, words, 0);
      return;
    }
    imported.block = this.#blocks.find(words, 0, group);
    this.#blocks.pool.retain(imported.block);
    this.#blocks.pool.release(block);
  }

  /** Last first, so that what hangs on other blocks is evicted before them. */
  #release(hold: readonly NamedBlock[]): void {
    if (!this.#holds.delete(hold)) return;
    for (const { block } of hold.toReversed()) this.#blocks.pool.release(block);
  }

  #parse({ hash, group }: BlockName): Int32Array {
    if (!Number.isInteger(group) || group < 0 || group >= this.#numGroups) {
      throw new InvalidArgumentError('group', `group is ${group}: expected 0 to ${this.#numGroups - 1}`);
    }
    return parseHash(hash);
  }
}

function parseHash(hash: BlockHash): Int32Array {
  const words = parseDigest(hash);
  if (words === null) throw new InvalidArgumentError('hash', `hash is ${hash}: expected 64 hexadecimal digits`);
  return words;
}
