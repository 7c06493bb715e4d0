import { describe, expect, it } from 'vitest';
import { loadTokenizer } from '../src/load-tokenizer.js';
import { supportedPreTokenizers } from '../src/pre-tokenizers.js';
import { TokenType } from '../src/vocabulary.js';
import { VocabularyTokenizer } from '../src/vocabulary-tokenizer.js';
import { bpeSource, spmSource } from './support/tiny-vocabulary.js';

const texts = (tokenizer: VocabularyTokenizer, ids: Int32Array) => [...ids].map((id) => tokenizer.tokenText(id));

describe('special tokens', () => {
  it('are parsed, leftmost and longest first, and left out of decoded text', () => {
    const source = bpeSource([]);
    const tokens = [...source.tokens, '<s>x', '\n\n', 'll'];
    const tokenTypes = Int32Array.from([
      ...source.tokenTypes,
      TokenType.control,
      TokenType.userDefined,
      TokenType.userDefined,
    ]);
    const tokenizer = new VocabularyTokenizer({ ...source, tokens, tokenTypes, vocabSize: tokens.length });
    const ids = tokenizer.encode('<s>xa<s>\n\n\nll<');
    expect(texts(tokenizer, ids)).toEqual(['<s>x', 'a', '<s>', '\n\n', '\n', 'll', '<']);
    expect(tokenizer.decode(ids)).toBe('a\n\n\nll<');
    expect(tokenizer.decode(ids, { skipSpecialTokens: false })).toBe('<s>xa<s>\n\n\nll<');
    expect([
      tokenizer.tokenId('<s>'),
      tokenizer.tokenId('ll'),
      tokenizer.tokenId(' '),
      tokenizer.tokenId('zz'),
      tokenizer.tokenId(''),
    ]).toEqual([0, tokens.length - 1, source.tokens.indexOf('Ġ'), undefined, undefined]);
  });

  it('are added as the source says', () => {
    const tokenizer = new VocabularyTokenizer(bpeSource([], { addBos: true, addEos: true }));
    expect(texts(tokenizer, tokenizer.encode('a'))).toEqual(['<s>', 'a', '</s>']);
    expect([...tokenizer.encode('')]).toEqual([0, 1]);
    expect(tokenizer.encode('', { addSpecialTokens: false }).length).toBe(0);
  });
});

describe('SentencePiece', () => {
  it('puts a space in front of text, also after a special token, and takes one off again', () => {
    const tokenizer = new VocabularyTokenizer(
      spmSource(
        [
          ['▁', 0],
          ['▁a', 1],
        ],
        { addSpacePrefix: true },
      ),
    );
    const ids = tokenizer.encode('a a<s>a');
    expect(texts(tokenizer, ids)).toEqual([' a', ' a', '<s>', ' a']);
    expect(tokenizer.decode(ids.subarray(0, 2))).toBe('a a');
  });

  it('spells what has no token in bytes, or as the unknown token', () => {
    const source = spmSource([['a', 0]]);
    expect(texts(new VocabularyTokenizer(source), new VocabularyTokenizer(source).encode('aé'))).toEqual([
      'a',
      '\ufffd',
      '\ufffd',
    ]);
    const [tokens, tokenTypes] = [['<unk>', 'a'], Int32Array.of(TokenType.unknown, TokenType.normal)];
    const small = { ...source, tokens, tokenTypes, scores: Float32Array.of(0, 0), bosTokenId: 0, eosTokenId: 0 };
    expect([...new VocabularyTokenizer({ ...small, unknownTokenId: 0 }).encode('aéa')]).toEqual([1, 0, 1]);
    expect(() => new VocabularyTokenizer(small)).toThrow(/byte 0 has no token/);
  });
});

describe('long words', () => {
  it.each([
    ['byte-level', bpeSource(['a b', 'ab ab', 'abab abab'])],
    [
      'sentencepiece',
      spmSource([
        ['a', 0],
        ['b', 0],
        ['ab', 1],
        ['abab', 2],
        ['abababab', 3],
      ]),
    ],
  ] as const)('%s merges a million characters without a space', (_name, source) => {
    const tokenizer = new VocabularyTokenizer(source);
    const ids = tokenizer.encode('ab'.repeat(500_000));
    expect(ids.length).toBe(125_000);
    expect(new Set(ids).size).toBe(1);
    expect([...tokenizer.encode('aba')].length).toBe(2);
  });
});

describe('what does not fit together', () => {
  it('is refused with what was wrong', async () => {
    const error = (overrides: object) => () => new VocabularyTokenizer({ ...bpeSource(['a b']), ...overrides });
    expect(error({ preTokenizer: 'gpt-9' })).toThrow(/'gpt-9' is not known; supported: .*smollm/);
    expect(error({ merges: ['a zz'] })).toThrow(/merge rule 0 is 'a zz'/);
    expect(error({ merges: ['ab'] })).toThrow(/merge rule 0 is 'ab'/);
    expect(error({ merges: ['a ж'] })).toThrow(/merge rule 0/);
    expect(error({ vocabSize: 3 })).toThrow(/vocabSize is 3/);
    expect(error({ eosTokenId: -1 })).toThrow(/eosTokenId is -1/);
    expect(error({ addBos: true, bosTokenId: undefined })).toThrow(/no bosTokenId/);
    expect(error({ tokenTypes: new Int32Array(1) })).toThrow(/as many token types, got 1/);
    await expect(loadTokenizer({ ...bpeSource([]), kind: 'wordpiece' as 'gguf-bpe' })).rejects.toMatchObject({
      code: 'ERR_UNSUPPORTED',
    });
    const tokenizer = new VocabularyTokenizer(bpeSource([], { vocabSize: 300 }));
    expect(tokenizer.decode([299])).toBe('');
    for (const id of [300, -1, 0.5]) expect(() => tokenizer.decode([id])).toThrow(/is not an integer in \[0, 300\)/);
  });
});

describe('pre-tokenizers', () => {
  it.each(supportedPreTokenizers())('%s keeps every character', (preTokenizer) => {
    const tokenizer = new VocabularyTokenizer(bpeSource(['h e', 'Ġ w'], { preTokenizer }));
    const text = "he's 12345 HeLLo\r\n\n  world\t!?... 你好 é $x+=1 \u00a0\u0085 end  ";
    expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
  });

  it('taking whole words skips merge rules', () => {
    const [source, tokens] = [bpeSource(['a b']), [...bpeSource(['a b']).tokens, 'abc']];
    const tokenTypes = Int32Array.from([...source.tokenTypes, TokenType.normal]);
    const whole = { ...source, tokens, tokenTypes, vocabSize: tokens.length };
    expect(new VocabularyTokenizer({ ...whole, preTokenizer: 'llama-bpe' }).encode('abc').length).toBe(1);
    expect(new VocabularyTokenizer({ ...whole, preTokenizer: 'dbrx' }).encode('abc').length).toBe(2);
  });

  it('normalises to NFC for the families that do', () => {
    const encode = (preTokenizer: string, text: string) => [
      ...new VocabularyTokenizer(bpeSource([], { preTokenizer })).encode(text),
    ];
    expect(encode('qwen2', 'e\u0301')).toEqual(encode('qwen2', 'é'));
    expect(encode('gpt-2', 'e\u0301')).not.toEqual(encode('gpt-2', 'é'));
  });
});
