import { fcParameters } from '@kvasir/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SpecialTokens } from '../src/special-tokens.js';

const letter = fc.constantFrom('<', 'a', '>', '😀');
const contents = fc.uniqueArray(fc.string({ unit: letter, minLength: 1, maxLength: 5 }), { maxLength: 6 });

/** Leftmost, then longest, by trying every token everywhere. */
function splitNaively(text: string, tokens: readonly string[]): (string | number)[] {
  const parts: (string | number)[] = [];
  const longestFirst = [...tokens].sort((a, b) => b.length - a.length);
  let plain = '';
  for (let at = 0; at < text.length; ) {
    const token = longestFirst.find((candidate) => text.startsWith(candidate, at));
    if (token === undefined) {
      plain += text[at++];
      continue;
    }
    if (plain !== '') parts.push(plain);
    plain = '';
    parts.push(tokens.indexOf(token));
    at += token.length;
  }
  return plain === '' ? parts : [...parts, plain];
}

describe('special tokens', () => {
  it('split text as trying every token everywhere does', () => {
    fc.assert(
      fc.property(contents, fc.string({ unit: letter, maxLength: 30 }), (tokens, text) => {
        const parts: (string | number)[] = [];
        const specialTokens = new SpecialTokens(tokens.map((content, id) => ({ id, content })));
        specialTokens.split(
          text,
          (start, end) => parts.push(text.slice(start, end)),
          (id) => parts.push(id),
        );
        expect(parts).toEqual(splitNaively(text, tokens));
      }),
      fcParameters(400),
    );
  });
});
