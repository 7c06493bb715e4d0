import { fcParameters } from '@kvasir/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TokenType } from '../src/vocabulary.js';
import { VocabularyTokenizer } from '../src/vocabulary-tokenizer.js';
import { readGgufTokenizer } from './support/gguf.js';
import { modelPath } from './support/models.js';
import { mergeNaively } from './support/reference.js';
import { wellFormedText } from './support/text.js';
import { spmSource } from './support/tiny-vocabulary.js';

/** Ids by the definition: best-scored pair first over the whole text, bytes for what has no token. */
function referenceIds(tokens: ReadonlyMap<string, number>, scores: ArrayLike<number>, text: string): number[] {
  const merged = mergeNaively([...text.replaceAll(' ', '▁')], (left, right) => {
    const id = tokens.get(left + right);
    return id === undefined ? undefined : -scores[id]!;
  });
  return merged.flatMap((symbol) => {
    const id = tokens.get(symbol);
    if (id !== undefined) return [id];
    return [...Buffer.from(symbol)].map(
      (byte) => tokens.get(`<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`)!,
    );
  });
}

describe('SentencePiece BPE', () => {
  it('merges as the definition says, wherever text is cut for speed', () => {
    const piece = fc.string({ unit: fc.constantFrom('a', 'é', '▁'), minLength: 1, maxLength: 4 });
    const pieces = fc.uniqueArray(fc.tuple(piece, fc.integer({ min: -4, max: 0 })), {
      maxLength: 12,
      selector: ([value]) => value,
    });
    const value = fc.string({ unit: fc.constantFrom('a', 'é', ' ', '▁', '😀'), maxLength: 60 });
    fc.assert(
      fc.property(pieces, fc.array(value, { maxLength: 3 }), (entries, texts) => {
        const source = spmSource(entries);
        const tokenizer = new VocabularyTokenizer(source);
        const tokens = new Map(source.tokens.map((token, id) => [token, id]));
        // A space without a token falls back to its own byte, not to the bytes of ▁.
        if (!tokens.has('▁')) tokens.set('▁', tokens.get('<0x20>')!);
        for (const text of texts) {
          expect([...tokenizer.encode(text)]).toEqual(referenceIds(tokens, source.scores, text));
          expect(tokenizer.decode(tokenizer.encode(text))).toBe(text.replaceAll('▁', ' '));
        }
        tokenizer.checkIntegrity();
      }),
      fcParameters(200),
    );
  });
});

const gemma3 = modelPath('KVASIR_TEST_GEMMA3');

describe.skipIf(gemma3 === undefined)('the Gemma 3 vocabulary', () => {
  it('agrees with the definition and gives back every text', () => {
    const source = readGgufTokenizer(gemma3!);
    if (source.kind !== 'gguf-spm') throw new Error(`expected a SentencePiece vocabulary, got ${source.kind}`);
    const tokenizer = new VocabularyTokenizer(source);
    const isPlain = (id: number) =>
      source.tokenTypes[id] === TokenType.normal || source.tokenTypes[id] === TokenType.byte;
    const tokens = new Map(source.tokens.flatMap((token, id) => (isPlain(id) ? [[token, id] as const] : [])));
    fc.assert(
      fc.property(wellFormedText, (value) => {
        // Runs of white space are user-defined tokens here; examples cover them.
        const text = value.replace(/[ ▁\n\t]+/g, ' ');
        expect([...tokenizer.encode(text, { addSpecialTokens: false })]).toEqual(
          referenceIds(tokens, source.scores, text),
        );
        expect(tokenizer.decode(tokenizer.encode(value))).toBe(value.replaceAll('▁', ' '));
      }),
      fcParameters(200),
    );
  });
});
