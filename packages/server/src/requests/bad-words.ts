import type { Tokenizer } from '@kvasir/interfaces';
import { invalidField } from '../schema/field-errors.js';

/**
 * Token sequences that stand for a bad word, as in vLLM: the word at the start of a text, and the word after a space where
 * that is other tokens of the same number (`_word` instead of `word`).
 * @throws `RequestError` When the word is white space only or has no tokens.
 */
export function tokenizeBadWord(tokenizer: Tokenizer, word: string, path: string): readonly (readonly number[])[] {
  const bare = word.trimStart();
  const encode = (text: string) => Array.from(tokenizer.encode(text, { addSpecialTokens: false }));
  const atStart = encode(bare);
  if (bare === '' || atStart.length === 0) {
    throw invalidField(path, word, 'a word that is not only white space');
  }
  const afterSpace = encode(` ${bare}`);
  const isAnotherWord = afterSpace.length === atStart.length && afterSpace[0] !== atStart[0];
  return isAnotherWord ? [atStart, afterSpace] : [atStart];
}
