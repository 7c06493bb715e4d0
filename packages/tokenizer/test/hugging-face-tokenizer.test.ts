import { readdirSync } from 'node:fs';
import type { HuggingFaceTokenizerSource } from '@kvasir/interfaces';
import { fcParameters } from '@kvasir/testing';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { loadTokenizer } from '../src/load-tokenizer.js';
import { VocabularyTokenizer } from '../src/vocabulary-tokenizer.js';
import { tokenizerFiles } from './support/hugging-face-files.js';
import { GPT2_PATTERN, split, tokenizerJson } from './support/oracle.js';
import { wellFormedText } from './support/text.js';
import { bpeSource } from './support/tiny-vocabulary.js';

const write = tokenizerFiles();

function huggingFace(json: string | object, vocabSize: number, more: Partial<HuggingFaceTokenizerSource> = {}) {
  return loadTokenizer({
    kind: 'huggingface',
    tokenizerJsonPath: write(json),
    vocabSize,
    addBos: false,
    addEos: false,
    ...more,
  });
}

const special = (id: number, content: string) => ({
  ...{ id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true },
});

describe('a byte-level tokenizer.json', () => {
  const source = bpeSource(['h e', 'Ġ w', 'l l', 'he ll', 'Ġw o']);

  it('agrees with the same vocabulary read from GGUF', async () => {
    const tokenizer = await huggingFace(tokenizerJson(source, split(GPT2_PATTERN)), source.vocabSize);
    const other = new VocabularyTokenizer(source);
    fc.assert(
      fc.property(wellFormedText, (text) => {
        const value = `hello world</s>${text}`;
        const ids = tokenizer.encode(value);
        expect(ids).toEqual(other.encode(value));
        expect(tokenizer.decode(ids)).toBe(other.decode(ids));
        expect(tokenizer.decode(ids, { skipSpecialTokens: false })).toBe(value);
      }),
      fcParameters(50),
    );
    for (let id = 0; id < source.vocabSize; id++) {
      expect(tokenizer.tokenBytes(id)).toEqual(other.tokenBytes(id));
      expect(tokenizer.isSpecial(id)).toBe(other.isSpecial(id));
    }
    expect(tokenizer.tokenId(' wo')).toBe(other.tokenId(' wo'));
    expect(tokenizer.tokenId('</s>')).toBe(1);
    expect(tokenizer.tokenId('absent')).toBeUndefined();
  });

  it('adds BOS and EOS where the post-processor does not', async () => {
    const ids = { bosTokenId: 0, eosTokenId: 1, addBos: true, addEos: true };
    const plain = JSON.parse(tokenizerJson(source, split(GPT2_PATTERN)));
    const tokenizer = await huggingFace(plain, source.vocabSize, ids);
    expect([...tokenizer.encode('')]).toEqual([0, 1]);
    expect(tokenizer.encode('', { addSpecialTokens: false }).length).toBe(0);
    const post_processor = {
      type: 'TemplateProcessing',
      single: [{ SpecialToken: { id: '<s>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
      pair: [{ Sequence: { id: 'A', type_id: 0 } }, { Sequence: { id: 'B', type_id: 1 } }],
      special_tokens: { '<s>': { id: '<s>', ids: [0], tokens: ['<s>'] } },
    };
    const processed = await huggingFace({ ...plain, post_processor }, source.vocabSize, ids);
    expect([...processed.encode('')]).toEqual([0, 1]);
    await expect(huggingFace(plain, source.vocabSize, { addBos: true })).rejects.toThrow(/bosTokenId is missing/);
  });

  it('decodes piece by piece', async () => {
    const tokenizer = await huggingFace(tokenizerJson(source, split(GPT2_PATTERN)), source.vocabSize);
    const decoder = tokenizer.createDecoder();
    const pieces = [...tokenizer.encode('€!')].map((id) => decoder.push(id));
    expect(pieces).toEqual(['', '', '€', '!']);
  });
});

describe('other families', () => {
  it('reads SentencePiece BPE with byte fallback', async () => {
    const bytes = Array.from({ length: 256 }, (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`);
    const tokens = ['<unk>', '<s>', ...bytes, '▁', 'a', 'b', '▁a', 'ab'];
    const tokenizer = await huggingFace(
      {
        version: '1.0',
        added_tokens: [special(1, '<s>')],
        normalizer: {
          type: 'Sequence',
          normalizers: [
            { type: 'Prepend', prepend: '▁' },
            { type: 'Replace', pattern: { String: ' ' }, content: '▁' },
          ],
        },
        decoder: {
          type: 'Sequence',
          decoders: [
            { type: 'Replace', pattern: { String: '▁' }, content: ' ' },
            { type: 'ByteFallback' },
            { type: 'Fuse' },
            { type: 'Strip', content: ' ', start: 1, stop: 0 },
          ],
        },
        model: {
          type: 'BPE',
          unk_token: '<unk>',
          byte_fallback: true,
          vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
          merges: [
            ['▁', 'a'],
            ['a', 'b'],
          ],
        },
      },
      tokens.length,
    );
    const ids = tokenizer.encode('a ab é');
    expect([...ids].map((id) => tokenizer.tokenText(id))).toEqual([' a', ' a', 'b', ' ', '\ufffd', '\ufffd']);
    expect(tokenizer.decode(ids)).toBe('a ab é');
  });

  it('reads WordPiece', async () => {
    const tokens = ['[UNK]', '[CLS]', '[SEP]', 'play', '##ing', 'now', '!'];
    const tokenizer = await huggingFace(
      {
        version: '1.0',
        // Left over from training: neither cuts nor fills up here.
        truncation: { max_length: 4, strategy: 'LongestFirst', stride: 0, direction: 'Right' },
        padding: {
          strategy: { Fixed: 8 },
          direction: 'Right',
          pad_to_multiple_of: null,
          pad_id: 0,
          pad_type_id: 0,
          pad_token: '[UNK]',
        },
        added_tokens: [special(1, '[CLS]'), special(2, '[SEP]')],
        normalizer: {
          type: 'BertNormalizer',
          clean_text: true,
          handle_chinese_chars: true,
          strip_accents: null,
          lowercase: true,
        },
        pre_tokenizer: { type: 'BertPreTokenizer' },
        post_processor: { type: 'BertProcessing', sep: ['[SEP]', 2], cls: ['[CLS]', 1] },
        decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
        model: {
          type: 'WordPiece',
          unk_token: '[UNK]',
          continuing_subword_prefix: '##',
          max_input_chars_per_word: 100,
          vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
        },
      },
      tokens.length,
    );
    expect([...tokenizer.encode('Playing now!')]).toEqual([1, 3, 4, 5, 6, 2]);
    expect(tokenizer.decode([1, 3, 4, 5, 6, 2])).toBe('playing now!');
    const marked = [1, 3, 2, 2, 5];
    expect(tokenizer.decode(marked, { skipSpecialTokens: false })).toBe('[CLS] play [SEP] [SEP] now');
    expect(tokenizer.decode(marked, { skipSpecialTokens: false, spacesBetweenSpecialTokens: false })).toBe(
      '[CLS] play [SEP][SEP] now',
    );
  });

  it('refuses a decoder it cannot apply piece by piece, and a file that is none', async () => {
    const model = { type: 'WordLevel', vocab: { x: 0 }, unk_token: 'x' };
    await expect(huggingFace({ version: '1.0', added_tokens: [], decoder: null, model }, 1)).rejects.toMatchObject({
      code: 'ERR_UNSUPPORTED',
    });
    await expect(huggingFace('{', 1)).rejects.toMatchObject({ code: 'ERR_TOKENIZER' });
    await expect(huggingFace(tokenizerJson(bpeSource([]), split('a')), 5)).rejects.toMatchObject({
      code: 'ERR_INVALID_VOCABULARY',
    });
  });
});

describe.runIf(process.platform === 'linux')('the thread of a tokenizer.json', () => {
  const numThreads = () => readdirSync('/proc/self/task').length;
  const json = tokenizerJson(bpeSource([]), split('a'));

  // Pools that stay for the life of the process start with the first tokenizer.
  beforeAll(async () => (await huggingFace(json, 300)).close?.());

  it('ends with close, after which nothing can be encoded', async () => {
    const before = numThreads();
    const tokenizer = await huggingFace(json, 300);
    expect(numThreads()).toBeGreaterThan(before);
    await tokenizer.close?.();
    await tokenizer.close?.();
    expect(numThreads()).toBe(before);
    expect(() => tokenizer.encode('x')).toThrow(/the tokenizer is closed; load it again/);
    expect(tokenizer.tokenText(0)).not.toBe('');
  });

  it('ends when the vocabulary is refused', async () => {
    const before = numThreads();
    await expect(huggingFace(json, 5)).rejects.toMatchObject({ code: 'ERR_INVALID_VOCABULARY' });
    expect(numThreads()).toBe(before);
  });
});
