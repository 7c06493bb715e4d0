import { InvalidCheckpointError } from '../../errors.js';
import type { HeaderFile } from '../header-file.js';

/** Longest string a header may hold. */
export const MAX_GGUF_STRING_BYTES = 1 << 26;

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
    return this.#text(at, at + length, where);
  }

  /** `count` strings one after the other. The hot loop of opening a model: a vocabulary has 50 to 260 thousand. */
  strings(count: number, where: string): string[] {
    const values = new Array<string>(count);
    for (let index = 0; index < count; index++) values[index] = this.string(where, MAX_GGUF_STRING_BYTES);
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
    if (end > this.#bytes.length) this.#bytes = this.file.load(end, where);
    this.position = end;
    return at;
  }

  #text(start: number, end: number, where: string): string {
    const bytes = this.#bytes;
    for (let at = start; at < end; at++) {
      if ((bytes[at] as number) < 0x80) continue;
      const text = bytes.toString('utf8', start, end);
      // U+FFFD is the only trace of bytes that were not UTF-8; it is also a legal character.
      if (text.includes('\uFFFD') && !Buffer.from(text).equals(bytes.subarray(start, end))) {
        throw new InvalidCheckpointError(this.file.path, where, `got bytes at ${start} that are not valid UTF-8`);
      }
      return text;
    }
    return bytes.toString('latin1', start, end);
  }
}
