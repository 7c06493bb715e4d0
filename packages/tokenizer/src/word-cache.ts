/** V8 copies shorter substrings anyway. */
const MIN_SLICE = 13;

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
    this.#young.set(detach(word), ids);
  }
}

/** A copy that shares no memory with the text that `word` was cut from: V8 keeps the whole text behind a longer slice. */
function detach(word: string): string {
  return word.length < MIN_SLICE ? word : Buffer.from(word, 'utf16le').toString('utf16le');
}
