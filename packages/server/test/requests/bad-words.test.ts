import type { Tokenizer } from '@kvasir/interfaces';
import { expect, test } from 'vitest';
import { tokenizeBadWord } from '../../src/requests/bad-words.js';

/** Words are tokens; a word after a space is a token of its own, except `solo`, whose space is a token. */
const IDS: Readonly<Record<string, readonly number[]>> = {
  word: [1],
  ' word': [2],
  solo: [3],
  ' solo': [9, 3],
  'two words': [4, 5],
  ' two words': [6, 5],
  same: [7],
  ' same': [7],
};
const tokenizer = {
  encode: (text: string, options?: { addSpecialTokens?: boolean }) => {
    expect(options).toEqual({ addSpecialTokens: false });
    return Int32Array.from(IDS[text] ?? []);
  },
} as unknown as Tokenizer;

test.each([
  ['word', [[1], [2]]],
  ['  word', [[1], [2]]],
  ['solo', [[3]]],
  [
    'two words',
    [
      [4, 5],
      [6, 5],
    ],
  ],
  ['same', [[7]]],
])('%j is banned as %j', (word, sequences) => {
  expect(tokenizeBadWord(tokenizer, word, 'bad_words[0]')).toEqual(sequences);
});

test.each(['', ' \n', 'unknown'])('%j is refused', (word) => {
  expect(() => tokenizeBadWord(tokenizer, word, 'bad_words[2]')).toThrow("'bad_words[2]' is");
});
