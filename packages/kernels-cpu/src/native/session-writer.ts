import { KvasirError } from '@kvasir/interfaces';

/** Collects the description of a session: numbers in one list, texts in another, both in the order the addon reads them. */
export class SessionWriter {
  readonly #numbers: number[] = [];
  readonly #texts: string[] = [];

  /** Appends a whole number of a range. @throws `KvasirError` `ERR_INVALID_PROGRAM`. */
  integer(what: string, value: number, low: number, high: number): this {
    if (!Number.isSafeInteger(value) || value < low || value > high) {
      throw new KvasirError(
        'ERR_INVALID_PROGRAM',
        `${what} is ${value}: expected a whole number from ${low} to ${high}`,
      );
    }
    this.#numbers.push(value);
    return this;
  }

  /** Appends a finite number. @throws `KvasirError` `ERR_INVALID_PROGRAM`. */
  number(what: string, value: number): this {
    if (!Number.isFinite(value)) {
      throw new KvasirError('ERR_INVALID_PROGRAM', `${what} is ${value}: expected a finite number`);
    }
    this.#numbers.push(value);
    return this;
  }

  text(value: string): this {
    this.#texts.push(value);
    return this;
  }

  /** Appends the length of a list, then each entry by `write`. */
  list<T>(what: string, values: readonly T[], write: (value: T, index: number) => void): this {
    this.integer(`${what}.length`, values.length, 0, 2 ** 20);
    values.forEach(write);
    return this;
  }

  /** What was written. */
  finish(): { readonly numbers: Float64Array; readonly texts: readonly string[] } {
    return { numbers: Float64Array.from(this.#numbers), texts: this.#texts };
  }
}
