import type { ApiKey } from '@kvasir/server';
import { UsageError } from '../flags/usage-error.js';
import { readSecretFile } from './secret-file.js';

const NAME = /^[\w.@-]{1,64}$/;
/** What a header can carry without an encoding. */
const KEY = /^[\x21-\x7e]+$/;

/**
 * Reads `NAME:KEY`, or a key alone. What is before the first colon is a name if it can be one; nothing before it says that
 * the rest is a key without a name.
 * @param where - What the message names: it never repeats a key.
 * @throws {@link UsageError}
 */
export function parseApiKey(text: string, where: string): ApiKey {
  const colon = text.indexOf(':');
  const before = text.slice(0, Math.max(0, colon));
  const hasName = colon > 0 && NAME.test(before);
  const key = hasName || colon === 0 ? text.slice(colon + 1) : text;
  if (!KEY.test(key)) {
    throw new UsageError(`${where}: expected [NAME:]KEY of visible ASCII characters, got none or others; correct it`);
  }
  return hasName ? { key, name: before } : { key };
}

/**
 * Reads keys of a file, one a line; blank lines and lines that begin with `#` are none.
 * @throws {@link UsageError} For a file that cannot be read or has no key, naming lines and never keys.
 */
export async function readApiKeyFile(path: string, warn: (message: string) => void): Promise<readonly ApiKey[]> {
  const lines = (await readSecretFile('--api-key-file', path, warn)).toString('utf8').split(/\r?\n/);
  const keys = lines.flatMap((line, index) => {
    const text = line.trim();
    return text === '' || text.startsWith('#') ? [] : [parseApiKey(text, `--api-key-file ${path}, line ${index + 1}`)];
  });
  if (keys.length === 0) throw new UsageError(`--api-key-file ${path}: expected a key a line, got none; add one`);
  return keys;
}

/** @throws {@link UsageError} When a key has two names: it could not be told whose requests are. */
export function requireOneNameEach(keys: readonly ApiKey[]): void {
  const names = new Map<string, string | undefined>();
  for (const { key, name } of keys) {
    if (names.has(key) && names.get(key) !== name) {
      const [first, second] = [names.get(key), name].map((each) => each ?? 'no name');
      throw new UsageError(`an API key is given twice, with ${first} and with ${second}; give each tenant its own`);
    }
    names.set(key, name);
  }
}
