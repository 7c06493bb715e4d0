/** Smallest buffer, in tokens. */
const MIN_LENGTH = 64;

/** Arrays that sequences grow into, used again when their sequences are gone: lengths are powers of two. */
export class TokenBuffers {
  /** By logarithm of the length. */
  readonly #free: Int32Array[][] = [];
  readonly #maxKept: number;

  /** @param maxKept - Free buffers that are kept of one length. */
  constructor(maxKept: number) {
    this.#maxKept = maxKept;
  }

  /** A buffer for at least `numTokens` tokens; what it holds is of no meaning. */
  take(numTokens: number): Int32Array {
    const order = 32 - Math.clz32(Math.max(numTokens, MIN_LENGTH) - 1);
    return this.#free[order]?.pop() ?? new Int32Array(2 ** order);
  }

  /** @param buffer - From {@link TokenBuffers.take}, and used by nobody any more. */
  giveBack(buffer: Int32Array): void {
    const order = 31 - Math.clz32(buffer.length);
    while (this.#free.length <= order) this.#free.push([]);
    const free = this.#free[order] as Int32Array[];
    if (free.length < this.#maxKept) free.push(buffer);
  }
}
