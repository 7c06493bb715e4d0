import type { GgufBpeTokenizerSource } from '@kvasir/interfaces';
import { Tokenizer } from 'tokenizers';
import { TokenType } from '../../src/vocabulary.js';

export const GPT2_PATTERN = `'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+`;

export const split = (regex: string) => ({
  type: 'Split',
  pattern: { Regex: regex },
  behavior: 'Isolated',
  invert: false,
});
export const digits = { type: 'Digits', individual_digits: true };
export const sequence = (...pretokenizers: object[]) => ({ type: 'Sequence', pretokenizers });
const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false };

/** A `tokenizer.json` with the vocabulary of a GGUF source. */
export function tokenizerJson(source: GgufBpeTokenizerSource, preTokenizer: object, model: object = {}): string {
  const added = source.tokens.flatMap((content, id) => {
    const type = source.tokenTypes[id];
    if (type !== TokenType.control && type !== TokenType.userDefined) return [];
    const special = type === TokenType.control;
    return [{ id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special }];
  });
  return JSON.stringify({
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: added,
    normalizer: null,
    pre_tokenizer: sequence(preTokenizer, byteLevel),
    post_processor: null,
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: 'BPE',
      vocab: Object.fromEntries(source.tokens.map((token, id) => [token, id])),
      merges: source.merges.map((merge) => {
        const border = merge.indexOf(' ', 1);
        return [merge.slice(0, border), merge.slice(border + 1)];
      }),
      ...model,
    },
  });
}

/** Words that Hugging Face's pre-tokenizers cut `text` into. */
export function oracleSplitter(preTokenizer: object): (text: string) => string[] {
  const model = { type: 'WordLevel', vocab: { x: 0 }, unk_token: 'x' };
  const tokenizer = Tokenizer.fromString(
    JSON.stringify({ version: '1.0', added_tokens: [], normalizer: null, pre_tokenizer: preTokenizer, model }),
  );
  const native = tokenizer.getPreTokenizer()!;
  return (text) => native.preTokenizeString(text).map(([word]) => word);
}
