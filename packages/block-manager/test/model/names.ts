import { createHash } from 'node:crypto';

/** Block names as the documentation defines them, made without the package. */
export function rootName(blockSize: number, salt: string): string {
  return remember(`${blockSize} ${salt}`, () => hashRoot(blockSize, salt));
}

export function nextName(parent: string, tokens: readonly number[]): string {
  return remember(`${parent} ${tokens.join()}`, () => hashNext(parent, tokens));
}

/** Tiny domains name the same content over and over. */
const known = new Map<string, string>();

function remember(key: string, make: () => string): string {
  let name = known.get(key);
  if (name === undefined) {
    name = make();
    known.set(key, name);
  }
  return name;
}

function hashRoot(blockSize: number, salt: string): string {
  const keys = JSON.stringify(['kvasir.kv-block.1', blockSize, '', salt === '' ? null : salt, null]);
  return createHash('sha256').update(keys).digest('hex');
}

function hashNext(parent: string, tokens: readonly number[]): string {
  return createHash('sha256').update(Buffer.from(parent, 'hex')).update(Int32Array.from(tokens)).digest('hex');
}

/** Names of the full blocks of `tokens`. */
export function chainNames(blockSize: number, salt: string, tokens: readonly number[]): string[] {
  const names: string[] = [];
  let name = rootName(blockSize, salt);
  for (let end = blockSize; end <= tokens.length; end += blockSize) {
    name = nextName(name, tokens.slice(end - blockSize, end));
    names.push(name);
  }
  return names;
}
