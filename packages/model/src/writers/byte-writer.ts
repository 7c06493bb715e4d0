/** Grows a buffer with little-endian values. */
export class ByteWriter {
  #bytes = Buffer.alloc(1 << 12);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  u32(value: number): void {
    this.view(4, (view) => view.setUint32(0, value, true));
  }

  u64(value: number | bigint): void {
    this.view(8, (view) => view.setBigUint64(0, BigInt(value), true));
  }

  bytes(bytes: Uint8Array): void {
    const at = this.#take(bytes.length);
    this.#bytes.set(bytes, at);
  }

  /** A u64 length and UTF-8 bytes. */
  string(text: string): void {
    const bytes = Buffer.from(text);
    this.u64(bytes.length);
    this.bytes(bytes);
  }

  /** Writes `length` bytes through a view of them. */
  view(length: number, write: (view: DataView) => void): void {
    const at = this.#take(length);
    write(new DataView(this.#bytes.buffer, this.#bytes.byteOffset + at, length));
  }

  pad(alignment: number): void {
    this.bytes(new Uint8Array((alignment - (this.#length % alignment)) % alignment));
  }

  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  #take(length: number): number {
    const at = this.#length;
    this.#length += length;
    if (this.#length > this.#bytes.length) {
      const grown = Buffer.alloc(2 * this.#length);
      this.#bytes.copy(grown);
      this.#bytes = grown;
    }
    return at;
  }
}
