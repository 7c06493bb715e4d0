/**
 * Ids of words seen lately. Two generations of at most `capacity` words each: when the young one is full it becomes the old
 * one, and a hit in the old one moves up, so that frequent words stay without any list to maintain.
 */
export class WordCache {
  readonly #capacity: number;
  #young = new Map<string, Int32Array>();
  #old = new Map<string, Int32Array>();

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get(word: string): Int32Array | undefined {
    const ids = this.#young.get(word);
    if (ids !== undefined) return ids;
    const old = this.#old.get(word);
    if (old !== undefined) this.set(word, old);
    return old;
  }

  set(word: string, ids: Int32Array): void {
    if (this.#young.size >= this.#capacity) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(word, ids);
  }
}
