import type { DecodeOptions, IncrementalDecoder, Tokenizer } from '@kvasir/interfaces';

const FIRST_CHARACTER = 0x61;

const EOS_TEXT = '</s>';

/** A tokenizer with one lower-case character a token (`0` is `a`); every seventh token is two. For vocabularies of the fake backend. */
export function createFakeTokenizer(vocabSize: number, eosTokenId?: number): Tokenizer {
  const texts = Array.from({ length: vocabSize }, (_, id) => {
    const character = String.fromCharCode(FIRST_CHARACTER + id);
    return id % 7 === 6 ? `${character}'` : character;
  });
  const shown = (id: number) => (id === eosTokenId ? EOS_TEXT : (texts[id] ?? '\ufffd'));
  const textOf = (id: number) => (id === eosTokenId ? '' : shown(id));
  const speller = ({ skipSpecialTokens = true }: DecodeOptions = {}) => (skipSpecialTokens ? textOf : shown);
  return {
    vocabSize,
    bosTokenId: undefined,
    eosTokenId,
    encode: (text) =>
      Int32Array.from([...text].filter((each) => each !== "'").map((each) => each.charCodeAt(0) - FIRST_CHARACTER)),
    decode: (ids, options) => Array.from(ids, speller(options)).join(''),
    tokenText: textOf,
    tokenBytes: (id) => new TextEncoder().encode(textOf(id)),
    isSpecial: (id) => id === eosTokenId,
    tokenId: (content) => {
      const id = texts.indexOf(content);
      return id < 0 ? undefined : id;
    },
    createDecoder: (options): IncrementalDecoder => ({ push: speller(options), flush: () => '' }),
  };
}
