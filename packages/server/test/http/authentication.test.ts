import { createHash } from 'node:crypto';
import { beforeEach, expect, test, vi } from 'vitest';

const compared = vi.hoisted(() => [] as string[]);
vi.mock('node:crypto', async (importOriginal) => {
  const original = await importOriginal<typeof import('node:crypto')>();
  return {
    ...original,
    timingSafeEqual: (a: Buffer, b: Buffer) => {
      compared.push(`${a.toString('hex')} ${b.toString('hex')}`);
      return original.timingSafeEqual(a, b);
    },
  };
});
const { Authenticator } = await import('../../src/http/authentication.js');

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const keys = ['first', { key: 'second', name: 'acme' }, 'third'];
beforeEach(() => void compared.splice(0));

test.each([
  ['first', undefined],
  ['second', 'acme'],
  ['third', undefined],
])('%s is compared in constant time with every key, as hashes', (key, name) => {
  expect(new Authenticator(keys).check(`Bearer ${key}`)).toBe(name);
  expect(compared).toEqual(['first', 'second', 'third'].map((each) => `${sha256(each)} ${sha256(key)}`));
});

test.each(['', 'f', 'firs', 'first2', 'x'.repeat(10_000)])('so is one that is wrong, however long', (key) => {
  expect(() => new Authenticator(keys).check(`Bearer ${key}`)).toThrow('the API key is not valid');
  expect(compared).toHaveLength(3);
  for (const pair of compared) expect(pair).toHaveLength(129);
});
