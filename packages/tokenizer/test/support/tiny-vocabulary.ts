import type { GgufBpeTokenizerSource, GgufSpmTokenizerSource } from '@kvasir/interfaces';
import { createByteOfCode } from '../../src/byte-alphabet.js';
import { TokenType } from '../../src/vocabulary.js';

/** The 256 single-byte tokens of the byte-level alphabet, in byte order. */
const BYTE_TOKENS: readonly string[] = Array.from(createByteOfCode(), (byte, code) => ({ byte, code }))
  .filter(({ byte }) => byte >= 0)
  .sort((a, b) => a.byte - b.byte)
  .map(({ code }) => String.fromCharCode(code));

/** A byte-level vocabulary: bytes, the results of `merges`, and `<s>`, `</s>`. */
export function bpeSource(
  merges: readonly string[],
  overrides: Partial<GgufBpeTokenizerSource> = {},
): GgufBpeTokenizerSource {
  const results = new Set(merges.map((merge) => merge.replace(' ', '')));
  const tokens = ['<s>', '</s>', ...BYTE_TOKENS, ...results];
  return {
    kind: 'gguf-bpe',
    preTokenizer: 'gpt-2',
    tokens,
    tokenTypes: Int32Array.from(tokens, (_, id) => (id < 2 ? TokenType.control : TokenType.normal)),
    merges,
    vocabSize: tokens.length,
    bosTokenId: 0,
    eosTokenId: 1,
    addBos: false,
    addEos: false,
    ...overrides,
  };
}

/** A SentencePiece vocabulary: `<s>`, `</s>`, 256 byte tokens, then `pieces` with their scores. */
export function spmSource(
  pieces: readonly (readonly [string, number])[],
  overrides: Partial<GgufSpmTokenizerSource> = {},
): GgufSpmTokenizerSource {
  const bytes = Array.from({ length: 256 }, (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`);
  const tokens = ['<s>', '</s>', ...bytes, ...pieces.map(([piece]) => piece)];
  return {
    kind: 'gguf-spm',
    tokens,
    tokenTypes: Int32Array.from(tokens, (_, id) =>
      id < 2 ? TokenType.control : id < 258 ? TokenType.byte : TokenType.normal,
    ),
    scores: Float32Array.from(tokens, (_, id) => (id < 258 ? 0 : pieces[id - 258]![1])),
    addSpacePrefix: false,
    vocabSize: tokens.length,
    bosTokenId: 0,
    eosTokenId: 1,
    addBos: false,
    addEos: false,
    ...overrides,
  };
}
