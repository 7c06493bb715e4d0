/** A run of words that grows once and is reused from step to step. */
export class SectionWriter {
  readonly #recordWords: number;
  words: Int32Array;
  floats: Float32Array;
  length = 0;

  constructor(recordWords: number, initialRecords: number) {
    this.#recordWords = recordWords;
    this.words = new Int32Array(Math.max(16, recordWords * initialRecords));
    this.floats = new Float32Array(this.words.buffer);
  }

  get numRecords(): number {
    return this.length / this.#recordWords;
  }

  clear(): void {
    this.length = 0;
  }

  /** Makes room for `count` records of zeros and returns the first word's index. The views may have changed. */
  reserve(count: number): number {
    const start = this.length;
    this.length += count * this.#recordWords;
    if (this.length > this.words.length) this.#grow();
    this.words.fill(0, start, this.length);
    return start;
  }

  /** Appends `[from, to)` of `source`, in a section of single words; returns the index of the first. */
  append(source: Int32Array, from: number, to: number): number {
    const start = this.reserve(to - from);
    for (let i = from; i < to; i++) this.words[start + i - from] = source[i]!;
    return start;
  }

  #grow(): void {
    const grown = new Int32Array(Math.max(this.length, 2 * this.words.length));
    grown.set(this.words);
    this.words = grown;
    this.floats = new Float32Array(grown.buffer);
  }
}
