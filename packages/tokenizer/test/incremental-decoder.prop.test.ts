import { fcParameters } from '@kvasir/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeUtf8, incompleteTail, writeUtf8 } from '../src/utf8.js';
import { VocabularyTokenizer } from '../src/vocabulary-tokenizer.js';
import { text } from './support/text.js';
import { bpeSource, spmSource } from './support/tiny-vocabulary.js';

// Leads, continuations and the borders of what may follow them.
const byte = fc.oneof(
  fc.constantFrom(0x41, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc1, 0xc2, 0xe0, 0xe2, 0xed, 0xef, 0xf0, 0xf4, 0xf5, 0xff),
  fc.nat(255),
);

describe('UTF-8', () => {
  it('is written as Buffer writes it', () => {
    fc.assert(
      fc.property(text, (value) => {
        const bytes = new Uint8Array(value.length * 3);
        expect(Buffer.from(bytes.subarray(0, writeUtf8(value, 0, value.length, bytes, 0)))).toEqual(Buffer.from(value));
      }),
      fcParameters(200),
    );
  });

  it('may be cut before an unfinished character, which more bytes can finish', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 8 }), fc.array(byte, { maxLength: 8 }), (head, tail) => {
        const bytes = Uint8Array.from([...head, ...tail]);
        const cut = bytes.length - incompleteTail(bytes, 0, bytes.length);
        expect(decodeUtf8(bytes.subarray(0, cut)) + decodeUtf8(bytes.subarray(cut))).toBe(decodeUtf8(bytes));
        if (cut === bytes.length) return;
        const completions = Array.from({ length: 64 }, (_, low) => [0x80 | low, 0x80, 0x80]);
        const finished = completions.some((rest) =>
          [1, 2, 3].some(
            (n) => !decodeUtf8(Uint8Array.from([...bytes.subarray(cut), ...rest.slice(0, n)])).includes('\ufffd'),
          ),
        );
        expect(finished).toBe(true);
      }),
      fcParameters(200),
    );
  });
});

const tokenizers = {
  'byte-level': new VocabularyTokenizer(bpeSource(['â Ĥ', 'ĠâĤ ¬', 'Ġ âĤ', 'ð Ł'])),
  sentencepiece: new VocabularyTokenizer(
    spmSource([
      ['▁', 0],
      ['a', 0],
      ['▁a', 1],
    ]),
  ),
  'sentencepiece with a space prefix': new VocabularyTokenizer(
    spmSource(
      [
        ['▁', 0],
        ['▁a', 1],
      ],
      { addSpacePrefix: true },
    ),
  ),
};

describe.each(Object.entries(tokenizers))('incremental decoding, %s', (_name, tokenizer) => {
  it('equals decoding the whole, and never shows half a character', () => {
    const ids = fc.array(
      fc.oneof(
        byte.map((value) => value + 2),
        fc.nat(tokenizer.vocabSize - 1),
      ),
      { maxLength: 16 },
    );
    fc.assert(
      fc.property(ids, fc.boolean(), (sequence, skipSpecialTokens) => {
        const decoder = tokenizer.createDecoder({ skipSpecialTokens });
        const pieces = sequence.map((id) => decoder.push(id));
        pieces.push(decoder.flush());
        const kept = sequence.filter((id) => !(skipSpecialTokens && tokenizer.isSpecial(id)));
        const whole = decodeUtf8(Buffer.concat(kept.map((id) => tokenizer.tokenBytes(id))));
        const isStripped = _name.endsWith('prefix') && whole.startsWith(' ');
        expect(pieces.join('')).toBe(isStripped ? whole.slice(1) : whole);
        expect(tokenizer.decode(sequence, { skipSpecialTokens })).toBe(pieces.join(''));
      }),
      fcParameters(200),
    );
  });

  it('shows each character of valid text as soon as its last byte is there', () => {
    fc.assert(
      fc.property(
        // SentencePiece writes a space as ▁, so it reads ▁ as a space.
        fc.string({ unit: 'grapheme', maxLength: 12 }).filter((value) => !/[\ufffd▁]/.test(value)),
        (value) => {
          const decoder = tokenizer.createDecoder();
          const ids = tokenizer.encode(value, { addSpecialTokens: false });
          let shown = '';
          ids.forEach((id) => {
            shown += decoder.push(id);
            expect(shown).not.toContain('\ufffd');
          });
          expect(decoder.flush()).toBe('');
          expect(shown).toBe(value);
        },
      ),
      fcParameters(200),
    );
  });
});
