import { expectReached, fcParameters } from '@kvasir/testing';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { loadTokenizer } from '../src/load-tokenizer.js';
import { tokenizerFiles } from './support/hugging-face-files.js';

const write = tokenizerFiles();

const TOKENS = ['[UNK]', '[CLS]', '[SEP]', '[MASK]', 'play', 'now', 'a', '##ing', '##s'] as const;
const SPECIAL = new Set(['[CLS]', '[SEP]', '[MASK]']);

/** The definition, token by token: a special token right behind another has no space in front when they are joined. */
function textOf(tokens: readonly string[], skipsSpecial: boolean, joinsSpecial: boolean): string {
  const shown = tokens.filter((token) => !(skipsSpecial && SPECIAL.has(token)));
  return shown
    .map((token, i) => {
      if (token.startsWith('##')) return token.slice(2);
      const isJoined = joinsSpecial && SPECIAL.has(token) && SPECIAL.has(shown[i - 1] ?? '');
      return i === 0 || isJoined ? token : ` ${token}`;
    })
    .join('');
}

it('spaces between special tokens are as asked for, whole and piece by piece', async () => {
  const tokenizer = await loadTokenizer({
    kind: 'huggingface',
    tokenizerJsonPath: write({
      version: '1.0',
      added_tokens: [...SPECIAL].map((content) => ({
        ...{ id: TOKENS.indexOf(content as '[CLS]'), content, single_word: false },
        ...{ lstrip: false, rstrip: false, normalized: false, special: true },
      })),
      decoder: { type: 'WordPiece', prefix: '##', cleanup: false },
      model: {
        type: 'WordPiece',
        unk_token: '[UNK]',
        continuing_subword_prefix: '##',
        max_input_chars_per_word: 100,
        vocab: Object.fromEntries(TOKENS.map((token, id) => [token, id])),
      },
    }),
    vocabSize: TOKENS.length,
    addBos: false,
    addEos: false,
  });
  // What is a piece of a word never comes first, and never behind a special token.
  const word = fc.tuple(fc.constantFrom('play', 'now', 'a'), fc.constantFrom([], ['##ing'], ['##s', '##ing']));
  const part = fc.oneof(
    fc.constantFrom(...SPECIAL).map((token) => [token]),
    word.map(([head, tail]) => [head, ...tail]),
  );
  const tokens = fc.array(part, { maxLength: 12, size: 'max' }).map((parts) => parts.flat());
  const reached = { joined: 0 };
  fc.assert(
    fc.property(tokens, fc.boolean(), (said, skipSpecialTokens) => {
      const ids = said.map((token) => TOKENS.indexOf(token as '[CLS]'));
      for (const spacesBetweenSpecialTokens of [true, false]) {
        const options = { skipSpecialTokens, spacesBetweenSpecialTokens };
        const expected = textOf(said, skipSpecialTokens, !spacesBetweenSpecialTokens);
        reached.joined += expected.includes('][') ? 1 : 0;
        expect(tokenizer.decode(ids, options)).toBe(expected);
        const decoder = tokenizer.createDecoder(options);
        expect(ids.map((id) => decoder.push(id)).join('') + decoder.flush()).toBe(expected);
      }
    }),
    fcParameters(200),
  );
  expectReached(reached, { joined: 0.1 }, 200);
});
