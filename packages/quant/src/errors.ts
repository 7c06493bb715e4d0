import { KvasirError } from '@kvasir/interfaces';

/** Bytes or elements do not fit the encoding they were given for. */
export class EncodingSizeError extends KvasirError {
  readonly encoding: string;
  readonly expected: number;
  readonly actual: number;

  constructor(encoding: string, what: string, actual: number, expected: number, hint: string) {
    super('ERR_ENCODING_SIZE', `${encoding}: got ${actual} ${what}, expected ${expected}. ${hint}`);
    this.encoding = encoding;
    this.expected = expected;
    this.actual = actual;
  }
}
