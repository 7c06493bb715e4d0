import { createHash, timingSafeEqual } from 'node:crypto';
import { RequestError } from '../errors.js';

/** A key, and whose it is. */
export interface ApiKey {
  readonly key: string;
  /** Tenant of the requests that carry it. Default: none. */
  readonly name?: string | undefined;
}

interface KnownKey {
  readonly hash: Buffer;
  readonly name: string | undefined;
}

/**
 * Checks `Authorization: Bearer KEY` against keys that are held as hashes only.
 * Time does not depend on which key matches or where a wrong one differs.
 */
export class Authenticator {
  #keys: readonly KnownKey[];

  /** @param keys - None: everyone is let in. */
  constructor(keys: readonly (string | ApiKey)[]) {
    this.#keys = keys.map(toKnownKey);
  }

  get hasKeys(): boolean {
    return this.#keys.length > 0;
  }

  /** From now on these keys are the ones. */
  replace(keys: readonly (string | ApiKey)[]): void {
    this.#keys = keys.map(toKnownKey);
  }

  /** @returns Name of the key. @throws {@link RequestError} `ERR_UNAUTHORIZED`. */
  check(authorization: string | undefined): string | undefined {
    if (this.#keys.length === 0) return undefined;
    if (authorization === undefined) {
      throw new RequestError('ERR_UNAUTHORIZED', 'no API key; send it as the header Authorization: Bearer KEY');
    }
    const separator = authorization.indexOf(' ');
    const scheme = authorization.slice(0, Math.max(0, separator));
    if (scheme.toLowerCase() !== 'bearer') {
      throw new RequestError('ERR_UNAUTHORIZED', 'the Authorization header is not of the form Bearer KEY; send it so');
    }
    const presented = sha256(authorization.slice(separator + 1).trim());
    let match: KnownKey | undefined;
    for (const key of this.#keys) {
      if (timingSafeEqual(key.hash, presented)) match = key;
    }
    if (match === undefined)
      throw new RequestError('ERR_UNAUTHORIZED', 'the API key is not valid; send one the server was started with');
    return match.name;
  }
}

function toKnownKey(entry: string | ApiKey): KnownKey {
  const { key, name } = typeof entry === 'string' ? { key: entry, name: undefined } : entry;
  // A part of a string keeps the whole alive: a name cut from a line must not keep the key beside it.
  return { hash: sha256(key), name: name === undefined ? undefined : Buffer.from(name).toString() };
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text, 'utf8').digest();
}
