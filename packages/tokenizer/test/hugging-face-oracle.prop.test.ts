import { fcParameters } from '@kvasir/testing';
import fc from 'fast-check';
import { Tokenizer } from 'tokenizers';
import { beforeAll, describe, expect, it } from 'vitest';
import { findPreTokenizer, splitWords } from '../src/pre-tokenizers.js';
import { VocabularyTokenizer } from '../src/vocabulary-tokenizer.js';
import { readGgufTokenizer } from './support/gguf.js';
import { modelPath } from './support/models.js';
import { digits, GPT2_PATTERN, oracleSplitter, sequence, split, tokenizerJson } from './support/oracle.js';
import { wellFormedText } from './support/text.js';

const smollm2 = modelPath('KVASIR_TEST_SMOLLM2');

const CONTRACTIONS = `(?i:'s|'t|'re|'ve|'m|'ll|'d)`;
const TAIL = ` ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`;
const UPPER = '[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]';
const LOWER = '[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]';
const cased = (suffix: string) =>
  `[^\\r\\n\\p{L}\\p{N}]?${UPPER}*${LOWER}+${suffix}|[^\\r\\n\\p{L}\\p{N}]?${UPPER}+${LOWER}*${suffix}`;

/** The `pre_tokenizer` of each family's own tokenizer.json, without the byte-level step. */
const PRE_TOKENIZERS: Record<string, object> = {
  'gpt-2': split(GPT2_PATTERN),
  smollm: sequence(digits, split(GPT2_PATTERN)),
  'llama-bpe': split(`${CONTRACTIONS}|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}|${TAIL}`),
  qwen2: split(`${CONTRACTIONS}|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}|${TAIL}`),
  qwen35: split(
    `${CONTRACTIONS}|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`,
  ),
  tekken: split(`${cased('')}|\\p{N}|${TAIL.replace('[\\r\\n]*', '[\\r\\n/]*')}`),
  'gpt-4o': split(`${cased(`${CONTRACTIONS}?`)}|\\p{N}{1,3}|${TAIL.replace('[\\r\\n]*', '[\\r\\n/]*')}`),
  'deepseek-coder': sequence(
    split('[\\r\\n]'),
    split('\\s?\\p{L}+'),
    split('\\s?\\p{P}+'),
    split('[一-龥ࠀ-一가-퟿]+'),
    digits,
  ),
  'deepseek-v3': sequence(
    split('\\p{N}{1,3}'),
    split('[一-龥\u3040-ゟ゠-ヿ]+'),
    split(
      `[!"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_\`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`,
    ),
  ),
  'seed-coder': split(
    `${CONTRACTIONS}|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1}| ?[^\\s\\p{L}\\p{N}\\r\\n]+|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`,
  ),
  bailingmoe: split(
    `'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+`,
  ),
};

describe('pre-tokenizers against Hugging Face', () => {
  it.each(Object.keys(PRE_TOKENIZERS))('%s cuts the same words', (name) => {
    const expected = oracleSplitter(PRE_TOKENIZERS[name]!);
    const { patterns } = findPreTokenizer(name);
    fc.assert(
      fc.property(wellFormedText, (text) => {
        expect(splitWords(text, patterns)).toEqual(expected(text));
      }),
      fcParameters(200),
    );
  });
});

describe.skipIf(smollm2 === undefined)('the SmolLM2 vocabulary against Hugging Face', () => {
  let tokenizer: VocabularyTokenizer;
  let oracle: Tokenizer;

  beforeAll(() => {
    const source = readGgufTokenizer(smollm2!);
    if (source.kind !== 'gguf-bpe') throw new Error(`expected a byte-level vocabulary, got ${source.kind}`);
    tokenizer = new VocabularyTokenizer(source);
    oracle = Tokenizer.fromString(tokenizerJson(source, PRE_TOKENIZERS['smollm']!));
  });

  it('gives the same ids and text', async () => {
    await fc.assert(
      fc.asyncProperty(wellFormedText, async (text) => {
        const ids = [...tokenizer.encode(text)];
        expect(ids).toEqual((await oracle.encode(text)).getIds());
        expect(tokenizer.decode(ids)).toBe(await oracle.decode(ids, true));
      }),
      fcParameters(200),
    );
  });

  it('gives the same text for any ids, halves of characters included', async () => {
    const ids = fc.array(fc.oneof(fc.nat(tokenizer.vocabSize - 1), fc.integer({ min: 17, max: 300 })), {
      maxLength: 12,
    });
    await fc.assert(
      fc.asyncProperty(ids, fc.boolean(), async (sequence, skipSpecialTokens) => {
        expect(tokenizer.decode(sequence, { skipSpecialTokens })).toBe(
          await oracle.decode(sequence, skipSpecialTokens),
        );
      }),
      fcParameters(200),
    );
  });
});
