import { expect, it } from 'vitest';
import { WordCache } from '../src/word-cache.js';

it('keeps words in use and forgets the others', () => {
  const cache = new WordCache(2);
  for (const [i, word] of ['a', 'b', 'c'].entries()) cache.set(word, Int32Array.of(i));
  expect(cache.get('a')).toEqual(Int32Array.of(0));
  cache.set('d', Int32Array.of(3));
  expect([cache.get('a'), cache.get('b'), cache.get('c'), cache.get('d')].map((ids) => ids?.[0])).toEqual([
    0,
    undefined,
    2,
    3,
  ]);
});

it('finds long words, lone surrogates included', () => {
  const cache = new WordCache(8);
  const word = 'a long word \ud800 that a slice would share';
  cache.set(word, Int32Array.of(1, 2));
  expect(cache.get(`${word}!`.slice(0, -1))).toEqual(Int32Array.of(1, 2));
});
