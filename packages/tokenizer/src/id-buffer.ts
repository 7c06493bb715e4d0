/** A growing row of token ids. */
export class IdBuffer {
  #ids: Int32Array;
  #length = 0;

  constructor(capacity: number) {
    this.#ids = new Int32Array(Math.max(capacity, 16));
  }

  get length(): number {
    return this.#length;
  }

  push(id: number): void {
    if (this.#length === this.#ids.length) this.#grow(this.#length + 1);
    this.#ids[this.#length++] = id;
  }

  append(ids: Int32Array): void {
    if (this.#length + ids.length > this.#ids.length) this.#grow(this.#length + ids.length);
    this.#ids.set(ids, this.#length);
    this.#length += ids.length;
  }

  /** Copy of ids `[start, length)`. */
  slice(start = 0): Int32Array {
    return this.#ids.slice(start, this.#length);
  }

  #grow(size: number): void {
    const grown = new Int32Array(Math.max(size, this.#ids.length * 2));
    grown.set(this.#ids.subarray(0, this.#length));
    this.#ids = grown;
  }
}
