import type { KvCacheEvent, KvCacheTier } from '@kvasir/interfaces';
import { digestText } from './digest-text.js';
import { HashChain } from './hash-chain.js';

type Listener = (event: KvCacheEvent) => void;

/** Blocks `[first, end)` of a chain in one group, of which `tokenIds` are all tokens. */
export interface ChainRun {
  readonly chain: HashChain;
  readonly group: number;
  readonly first: number;
  readonly end: number;
  readonly tokenIds: ArrayLike<number>;
}

/** Tells listeners what is stored and removed. Callers ask `isListened` before they build anything. */
export class KvEventHub {
  readonly #blockSize: number;
  #listeners: readonly Listener[] = [];

  constructor(blockSize: number) {
    this.#blockSize = blockSize;
  }

  get isListened(): boolean {
    return this.#listeners.length > 0;
  }

  subscribe(listener: Listener): () => void {
    // Wrapped, so that the same function subscribed twice is two subscriptions.
    const own: Listener = (event) => listener(event);
    this.#listeners = [...this.#listeners, own];
    return () => this.#drop(own);
  }

  /** Blocks of a chain whose tokens are known came into the pool. */
  storedRun({ chain, group, first, end, tokenIds }: ChainRun): void {
    if (!this.isListened) return;
    const hashes: string[] = [];
    for (let entry = first; entry < end; entry++) hashes.push(digestText(chain.words, HashChain.wordOf(entry)));
    const parentHash = digestText(chain.words, HashChain.wordOf(first - 1));
    const blockSize = this.#blockSize;
    const tokens: number[] = [];
    for (let i = first * blockSize; i < end * blockSize; i++) tokens.push(tokenIds[i]!);
    this.#emit({ type: 'stored', tier: 'pool', group, hashes, blockSize, parentHash, tokenIds: tokens });
  }

  /** The block named at `words[at ..]` came into `tier` from another one. */
  moved(tier: KvCacheTier, group: number, words: Int32Array, at: number): void {
    if (!this.isListened) return;
    this.#emit({ type: 'stored', tier, group, hashes: [digestText(words, at)], blockSize: this.#blockSize });
  }

  removed(tier: KvCacheTier, group: number, words: Int32Array, at: number): void {
    if (!this.isListened) return;
    this.#emit({ type: 'removed', tier, group, hashes: [digestText(words, at)] });
  }

  cleared(tier: KvCacheTier): void {
    if (this.isListened) this.#emit({ type: 'cleared', tier });
  }

  #emit(event: KvCacheEvent): void {
    for (const listener of this.#listeners) {
      try {
        listener(event);
      } catch (error) {
        this.#drop(listener);
        process.emitWarning(
          `a KV event listener threw and is dropped: ${error instanceof Error ? error.stack : error}`,
        );
      }
    }
  }

  #drop(listener: Listener): void {
    this.#listeners = this.#listeners.filter((each) => each !== listener);
  }
}
