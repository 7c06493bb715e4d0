import { createHash, timingSafeEqual } from 'node:crypto';
import { RequestError } from '../errors.js';

/**
 * Checks `Authorization: Bearer KEY` against keys that are held as hashes only.
 * Time does not depend on which key matches or where a wrong one differs.
 */
export class Authenticator {
  readonly #hashes: readonly Buffer[];

  /** @param keys - None: everyone is let in. */
  constructor(keys: readonly string[]) {
    this.#hashes = keys.map(sha256);
  }

  /** @throws {@link RequestError} `ERR_UNAUTHORIZED`. */
  check(authorization: string | undefined): void {
    if (this.#hashes.length === 0) return;
    if (authorization === undefined) {
      throw new RequestError('ERR_UNAUTHORIZED', 'no API key; send it as the header Authorization: Bearer KEY');
    }
    const separator = authorization.indexOf(' ');
    const scheme = authorization.slice(0, Math.max(0, separator));
    if (scheme.toLowerCase() !== 'bearer') {
      throw new RequestError('ERR_UNAUTHORIZED', 'the Authorization header is not of the form Bearer KEY; send it so');
    }
    const presented = sha256(authorization.slice(separator + 1).trim());
    let matches = 0;
    for (const hash of this.#hashes) matches |= Number(timingSafeEqual(hash, presented));
    if (matches === 0)
      throw new RequestError('ERR_UNAUTHORIZED', 'the API key is not valid; send one the server was started with');
  }
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text, 'utf8').digest();
}
