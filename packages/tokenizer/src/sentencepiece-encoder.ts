import type { GgufSpmTokenizerSource } from '@kvasir/interfaces';
import { InvalidVocabularyError } from './errors.js';
import type { IdBuffer } from './id-buffer.js';
import { PairMerger } from './pair-merger.js';
import { ScoreRules } from './score-rules.js';
import { CACHED_WORDS, MAX_CACHED_WORD, type TextEncoder } from './text-encoder.js';
import { utf8Length, writeUtf8 } from './utf8.js';
import type { Vocabulary } from './vocabulary.js';
import { WordCache } from './word-cache.js';

const SPACE = 0x20;

/**
 * SentencePiece BPE: characters to symbols, merges by score, `<0xNN>` for what has no token.
 *
 * There is no pre-tokenizer, but a space can only be merged to what stands before it if some token has that byte
 * before a space. Text is cut in front of every other space: merges never cross such a border, so each piece can be
 * encoded, and remembered, alone.
 */
export class SentencePieceEncoder implements TextEncoder {
  readonly #vocabulary: Vocabulary;
  readonly #rules: ScoreRules;
  readonly #addSpacePrefix: boolean;
  readonly #unknownTokenId: number;
  readonly #joinsSpace = new Uint8Array(256);
  readonly #merger = new PairMerger();
  readonly #cache = new WordCache(CACHED_WORDS);
  #bytes = new Uint8Array(1024);

  /** @throws {@link InvalidVocabularyError} If scores are missing, or a byte has no token and there is no unknown token. */
  constructor(source: GgufSpmTokenizerSource, vocabulary: Vocabulary) {
    if (source.scores.length !== vocabulary.numTokens) {
      throw new InvalidVocabularyError(
        `${vocabulary.numTokens} tokens need as many scores, got ${source.scores.length}`,
      );
    }
    this.#unknownTokenId = source.unknownTokenId ?? -1;
    const missing = vocabulary.byteIds.indexOf(-1);
    if (missing >= 0 && this.#unknownTokenId < 0) {
      throw new InvalidVocabularyError(`byte ${missing} has no token and there is no unknown token to stand for it`);
    }
    this.#vocabulary = vocabulary;
    this.#rules = new ScoreRules(vocabulary, source.scores);
    this.#addSpacePrefix = source.addSpacePrefix;
    const { arena, offsets } = vocabulary;
    for (let id = 0; id < vocabulary.numTokens; id++) {
      const end = offsets[id + 1]!;
      for (let at = offsets[id]! + 1; at < end; at++) {
        if (arena[at] === SPACE) this.#joinsSpace[arena[at - 1]!] = 1;
      }
    }
  }

  encode(text: string, into: IdBuffer): void {
    const spaced = (this.#addSpacePrefix ? ` ${text}` : text).replaceAll('▁', ' ');
    let start = 0;
    for (let at = 1; at <= spaced.length; at++) {
      if (
        at < spaced.length &&
        (spaced.charCodeAt(at) !== SPACE || this.#joinsSpace[lastByte(spaced.charCodeAt(at - 1))] === 1)
      )
        continue;
      this.#encodePiece(spaced.slice(start, at), into);
      start = at;
    }
  }

  #encodePiece(piece: string, into: IdBuffer): void {
    const known = this.#cache.get(piece);
    if (known !== undefined) {
      if (known.length === 1) into.push(known[0]!);
      else into.append(known);
      return;
    }
    const start = into.length;
    this.#merge(piece, into);
    if (piece.length <= MAX_CACHED_WORD) this.#cache.set(piece, into.slice(start));
  }

  #merge(piece: string, into: IdBuffer): void {
    if (this.#bytes.length < piece.length * 3) this.#bytes = new Uint8Array(piece.length * 3);
    const bytes = this.#bytes;
    const length = writeUtf8(piece, 0, piece.length, bytes, 0);
    const rules = this.#rules;
    rules.setBytes(bytes, length);
    const merger = this.#merger;
    merger.reserve(length);
    let numSymbols = 0;
    for (let at = 0; at < length; ) {
      const end = at + utf8Length(bytes[at]!);
      merger.ids[numSymbols] = rules.findSpan(at, end);
      merger.starts[numSymbols++] = at;
      at = end;
    }
    merger.starts[numSymbols] = length;
    const count = merger.run(numSymbols, rules);
    for (let i = 0; i < count; i++) {
      if (merger.ids[i]! >= 0) into.push(merger.ids[i]!);
      else this.#fallBack(merger.starts[i]!, merger.starts[i + 1]!, into);
    }
  }

  #fallBack(start: number, end: number, into: IdBuffer): void {
    const { byteIds } = this.#vocabulary;
    let hasBytes = true;
    for (let at = start; at < end; at++) hasBytes &&= byteIds[this.#bytes[at]!] !== -1;
    if (!hasBytes) into.push(this.#unknownTokenId);
    else for (let at = start; at < end; at++) into.push(byteIds[this.#bytes[at]!]!);
  }
}

/** Last UTF-8 byte of the character that ends with UTF-16 code unit `unit`. */
function lastByte(unit: number): number {
  return unit < 0x80 ? unit : 0x80 | (unit & 0x3f);
}
