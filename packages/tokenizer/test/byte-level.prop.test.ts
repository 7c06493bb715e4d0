import { fcParameters } from '@kvasir/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { VocabularyTokenizer } from '../src/vocabulary-tokenizer.js';
import { readGgufTokenizer } from './support/gguf.js';
import { modelPath } from './support/models.js';
import { mergeNaively } from './support/reference.js';
import { text } from './support/text.js';
import { bpeSource } from './support/tiny-vocabulary.js';

/** Merge rules over {a, b} whose parts exist when they are needed, best first, in any order after that. */
const merges = fc.array(fc.tuple(fc.nat(), fc.nat()), { maxLength: 8 }).chain((picks) => {
  const symbols = ['a', 'b'];
  const rules = new Set<string>();
  for (const [left, right] of picks) {
    const [l, r] = [symbols[left % symbols.length]!, symbols[right % symbols.length]!];
    if (!symbols.includes(l + r)) symbols.push(l + r);
    rules.add(`${l} ${r}`);
  }
  return fc.shuffledSubarray([...rules], { minLength: rules.size });
});

describe('byte-level BPE', () => {
  it('merges as the definition says, for words short and long', () => {
    const word = fc.string({ unit: fc.constantFrom('a', 'b'), minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(merges, fc.array(word, { minLength: 1, maxLength: 3 }), (rules, words) => {
        const source = bpeSource(rules);
        const tokenizer = new VocabularyTokenizer(source);
        const ranks = new Map(rules.map((rule, rank) => [rule, rank]));
        for (const value of words) {
          const expected = mergeNaively([...value], (left, right) => ranks.get(`${left} ${right}`));
          const ids = tokenizer.encode(value);
          expect([...ids].map((id) => source.tokens[id])).toEqual(expected);
          expect(tokenizer.encode(value)).toEqual(ids);
        }
        tokenizer.checkIntegrity();
      }),
      fcParameters(200),
    );
  });

  it('gives back every text, with U+FFFD for lone surrogates', () => {
    const tokenizer = new VocabularyTokenizer(bpeSource(['a b', 'Ġ t', 'h e', 'Ġt he']));
    fc.assert(
      fc.property(text, (value) => {
        expect(tokenizer.decode(tokenizer.encode(value))).toBe(Buffer.from(value).toString());
      }),
      fcParameters(200),
    );
  });

  it('leaves out a byte that has no token', () => {
    const source = bpeSource([]);
    const tokens = source.tokens.filter((token) => token !== 'b');
    const tokenizer = new VocabularyTokenizer({ ...source, tokens, tokenTypes: source.tokenTypes.slice(1) });
    expect(tokenizer.decode(tokenizer.encode('abab'))).toBe('aa');
    expect(tokenizer.encode('b').length).toBe(0);
  });
});

const smollm2 = modelPath('KVASIR_TEST_SMOLLM2');

describe.skipIf(smollm2 === undefined)('the SmolLM2 vocabulary', () => {
  it('gives back every text without special tokens', () => {
    const tokenizer = new VocabularyTokenizer(readGgufTokenizer(smollm2!));
    fc.assert(
      fc.property(text, (value) => {
        // Its training text had no control characters, so some of their bytes have no token.
        const parts = [...value.replace(/<\|im_start\|>|<\|im_end\|>/g, '')];
        const plain = parts.filter((part) => '\t\n\r'.includes(part) || !/\p{Cc}/u.test(part)).join('');
        expect(tokenizer.decode(tokenizer.encode(plain))).toBe(Buffer.from(plain).toString());
      }),
      fcParameters(200),
    );
  });
});
