import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { InvalidCheckpointError } from '../errors.js';

const FIRST_READ_BYTES = 1 << 20;

/** The leading bytes of a file, read on demand in doubling steps so that a header costs a few reads and a data section none. */
export class HeaderFile {
  readonly path: string;
  readonly sizeBytes: number;
  /** Bytes `[0, loaded)` of the file. */
  #bytes: Buffer = Buffer.alloc(0);
  readonly #descriptor: number;
  readonly #maxBytes: number;

  constructor(path: string, maxBytes: number) {
    this.path = path;
    this.#maxBytes = maxBytes;
    // A pipe without a writer would otherwise hold up the whole process here.
    this.#descriptor = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    const stat = fstatSync(this.#descriptor);
    if (!stat.isFile()) {
      closeSync(this.#descriptor);
      throw new InvalidCheckpointError(path, 'file', 'is not a regular file');
    }
    this.sizeBytes = stat.size;
  }

  /**
   * A buffer that holds at least the bytes `[0, end)`.
   * @throws {@link InvalidCheckpointError} If the file ends before `end`, or the header would exceed its bound.
   */
  load(end: number, where: string): Buffer {
    if (end <= this.#bytes.length) return this.#bytes;
    if (end > this.sizeBytes) {
      throw new InvalidCheckpointError(
        this.path,
        where,
        `file is truncated: it ends at byte ${this.sizeBytes}, ${end} needed`,
      );
    }
    if (end > this.#maxBytes) {
      throw new InvalidCheckpointError(
        this.path,
        where,
        `header reaches byte ${end}, more than the ${this.#maxBytes} allowed`,
      );
    }
    const wanted = Math.min(this.sizeBytes, this.#maxBytes, Math.max(end, FIRST_READ_BYTES, 4 * this.#bytes.length));
    const grown = Buffer.allocUnsafeSlow(wanted);
    this.#bytes.copy(grown);
    for (let at = this.#bytes.length; at < wanted; ) {
      const count = readSync(this.#descriptor, grown, at, wanted - at, at);
      if (count === 0)
        throw new InvalidCheckpointError(this.path, where, `file shrank to ${at} bytes while it was read`);
      at += count;
    }
    this.#bytes = grown;
    return grown;
  }

  /** Bytes `[offset, offset + length)` by themselves; for small tensors that belong to the description. */
  read(offset: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length; ) {
      const count = readSync(this.#descriptor, bytes, at, length - at, offset + at);
      if (count === 0)
        throw new InvalidCheckpointError(this.path, `byte ${offset + at}`, 'file shrank while it was read');
      at += count;
    }
    return bytes;
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}
