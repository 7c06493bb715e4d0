import type { BlockTable, KvCacheManager, KvGroup, PreparedPrompt, SequenceId } from '@kvasir/interfaces';

const NOTHING: BlockTable = { ids: new Int32Array(0), length: 0, dirtyFrom: 0 };

/** A KV cache that only counts: a pool of tokens, no tables, no prefixes. */
export class FakeKvCache implements KvCacheManager {
  readonly blockSize = 1;
  readonly groups: readonly KvGroup[] = [{ kind: 'full', bytesPerBlock: 1 }];
  readonly numBlocks: number;
  /** Every call that changes something, in order. */
  readonly calls: string[] = [];
  readonly #reserved = new Map<SequenceId, number>();

  constructor(numBlocks: number) {
    this.numBlocks = numBlocks;
  }

  get numFreeBlocks(): number {
    let free = this.numBlocks;
    for (const reserved of this.#reserved.values()) free -= reserved;
    return free;
  }

  open(sequence: SequenceId): number {
    this.calls.push(`open ${sequence}`);
    this.#reserved.set(sequence, 0);
    return 0;
  }

  reserve(sequence: SequenceId, numTokens: number): boolean {
    const reserved = this.#reserved.get(sequence)!;
    if (numTokens - reserved > this.numFreeBlocks) return false;
    this.#reserved.set(sequence, Math.max(reserved, numTokens));
    return true;
  }

  lookup(): number {
    return 0;
  }

  estimateClosing(sequence: SequenceId) {
    return { numFreedBlocks: this.#reserved.get(sequence)!, numSharedTokens: 0, numPublishedTokens: 0 };
  }

  fits(numTokens: number): boolean {
    return numTokens <= this.numBlocks;
  }

  commit(sequence: SequenceId, _tokenIds: ArrayLike<number>, numComputed: number): void {
    this.calls.push(`commit ${sequence} ${numComputed}`);
  }

  close(sequence: SequenceId): void {
    this.calls.push(`close ${sequence}`);
    this.#reserved.delete(sequence);
  }

  truncate(): void {}
  fork(): void {}
  markSent(): void {}
  resetPrefixCache(): void {}
  checkIntegrity(): void {}

  pin(): void {}

  unpin(): boolean {
    return false;
  }

  subscribe(): () => void {
    return () => {};
  }

  cachedBlocks(): [] {
    return [];
  }

  exportBlocks() {
    return { blocks: [], release() {} };
  }

  importBlocks() {
    return { blocks: [], commit() {}, abort() {} };
  }

  usage() {
    const heldTokens = this.numBlocks - this.numFreeBlocks;
    return { heldTokens, storedTokens: heldTokens };
  }

  table(): BlockTable {
    return NOTHING;
  }

  prepare(tokenIds: Int32Array): PreparedPrompt {
    return { numTokens: tokenIds.length, numHashedBlocks: 0 };
  }

  takeTransfers(): [] {
    return [];
  }

  abandonTransfers(): [] {
    return [];
  }

  stats() {
    const { numBlocks, numFreeBlocks } = this;
    return {
      numBlocks,
      numFreeBlocks,
      numCachedBlocks: 0,
      prefixQueries: 0,
      prefixHits: 0,
      prefixQueriedTokens: 0,
      prefixHitTokens: 0,
      evictedBlocks: 0,
      tenants: new Map(),
      numPinnedBlocks: 0,
      hostTier: null,
    };
  }
}
