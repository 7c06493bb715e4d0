import { isUtf8 } from 'node:buffer';
import { InvalidCheckpointError } from '../../errors.js';
import type { HeaderFile } from '../header-file.js';

/** Longest string a header may hold. */
export const MAX_GGUF_STRING_BYTES = 1 << 26;

/** `Buffer.toString('utf8')` without its argument checks, twice as fast on short strings where Node has it. */
const utf8Slice: (this: Buffer, start: number, end: number) => string =
  (Buffer.prototype as { utf8Slice?: typeof utf8Slice }).utf8Slice ??
  function (start, end) {
    return this.toString('utf8', start, end);
  };

/** Reads the little-endian primitives of a GGUF header in order, checking every length against the file before it allocates. */
export class GgufCursor {
  position = 0;
  readonly file: HeaderFile;
  #bytes: Buffer;

  constructor(file: HeaderFile) {
    this.file = file;
    this.#bytes = file.load(Math.min(4, file.sizeBytes), 'magic');
  }

  /** Bytes of the file behind the cursor. */
  get remaining(): number {
    return this.file.sizeBytes - this.position;
  }

  u32(where: string): number {
    const at = this.#take(4, where);
    return this.#bytes.readUInt32LE(at);
  }

  /** An unsigned 64-bit count or offset. @throws {@link InvalidCheckpointError} Beyond 2^53. */
  size(where: string): number {
    const at = this.#take(8, where);
    const high = this.#bytes.readUInt32LE(at + 4);
    if (high > 0x1fffff) {
      const value = this.#bytes.readBigUInt64LE(at);
      throw new InvalidCheckpointError(this.file.path, where, `got ${value} at byte ${at}, expected at most 2^53 - 1`);
    }
    return high * 2 ** 32 + this.#bytes.readUInt32LE(at);
  }

  string(where: string, maxBytes: number): string {
    const length = this.size(where);
    if (length > maxBytes) {
      const limit = `got a string of ${length} bytes at byte ${this.position}, expected at most ${maxBytes}`;
      throw new InvalidCheckpointError(this.file.path, where, limit);
    }
    const at = this.#take(length, where);
    this.#checkText(at, at + length, where);
    return utf8Slice.call(this.#bytes, at, at + length);
  }

  /**
   * `count` strings one after the other. The hot loop of opening a model (a vocabulary has 50 to 260 thousand), and run cold: lengths are read
   * in place and UTF-8 is checked once for all.
   */
  strings(count: number, where: string): string[] {
    const values = new Array<string>(count);
    let bytes = this.#bytes;
    let at = this.position;
    let unchecked = at;
    for (let index = 0; index < count; index++) {
      if (at + 8 > bytes.length) bytes = this.#load(at + 8, where);
      const length = bytes.readUInt32LE(at);
      if (length > MAX_GGUF_STRING_BYTES || bytes.readUInt32LE(at + 4) !== 0) {
        this.position = at;
        this.string(`${where}[${index}]`, MAX_GGUF_STRING_BYTES);
      }
      // Lengths below 0x80 are ASCII themselves, so a run of short strings is valid UTF-8 exactly if each of them is.
      if (length >= 0x80) {
        this.#checkText(unchecked, at, where);
        unchecked = at + 8;
      }
      at += 8;
      if (at + length > bytes.length) bytes = this.#load(at + length, where);
      values[index] = utf8Slice.call(bytes, at, at + length);
      at += length;
      if (length >= 0x80) {
        this.#checkText(unchecked, at, where);
        unchecked = at;
      }
    }
    this.#checkText(unchecked, at, where);
    this.position = at;
    return values;
  }

  /** `length` bytes as a view that is aligned for any typed array. */
  alignedBytes(length: number, where: string): Uint8Array<ArrayBuffer> {
    const at = this.#take(length, where);
    return new Uint8Array(this.#bytes.subarray(at, at + length));
  }

  /** `length` bytes as a view, valid until the next read. */
  view(length: number, where: string): DataView {
    const at = this.#take(length, where);
    return new DataView(this.#bytes.buffer, this.#bytes.byteOffset + at, length);
  }

  #take(length: number, where: string): number {
    const at = this.position;
    const end = at + length;
    if (end > this.#bytes.length) this.#load(end, where);
    this.position = end;
    return at;
  }

  #load(end: number, where: string): Buffer {
    this.#bytes = this.file.load(end, where);
    return this.#bytes;
  }

  #checkText(start: number, end: number, where: string): void {
    if (isUtf8(this.#bytes.subarray(start, end))) return;
    throw new InvalidCheckpointError(
      this.file.path,
      where,
      `got bytes between ${start} and ${end} that are not valid UTF-8`,
    );
  }
}
