import type { GgufBpeTokenizerSource } from '@kvasir/interfaces';
import type { IdBuffer } from './id-buffer.js';
import { MergeTable } from './merge-table.js';
import { PairMerger } from './pair-merger.js';
import { findPreTokenizer, type PreTokenizer, splitWords } from './pre-tokenizers.js';
import { CACHED_WORDS, MAX_CACHED_WORD, type TextEncoder } from './text-encoder.js';
import { writeUtf8 } from './utf8.js';
import { hashByte, type Vocabulary } from './vocabulary.js';
import { WordCache } from './word-cache.js';

/**
 * Byte-level BPE: words by pattern, bytes to symbols, merges by rank. Some vocabularies lack bytes that UTF-8 text hardly
 * ever holds; such a byte is left out, as Hugging Face and llama.cpp do.
 */
export class ByteLevelEncoder implements TextEncoder {
  readonly #vocabulary: Vocabulary;
  readonly #preTokenizer: PreTokenizer;
  readonly #rules: MergeTable;
  readonly #merger = new PairMerger();
  readonly #cache = new WordCache(CACHED_WORDS);
  #bytes = new Uint8Array(1024);

  /**
   * @throws {@link UnknownPreTokenizerError} If the pre-tokenizer's rules are not known.
   * @throws {@link InvalidVocabularyError} If a part or the result of a merge rule is not a token.
   */
  constructor(source: GgufBpeTokenizerSource, vocabulary: Vocabulary) {
    this.#preTokenizer = findPreTokenizer(source.preTokenizer);
    this.#vocabulary = vocabulary;
    this.#rules = new MergeTable(source.merges, vocabulary);
  }

  encode(text: string, into: IdBuffer): void {
    const normal = this.#preTokenizer.normalizesToNfc ? text.normalize('NFC') : text;
    for (const word of splitWords(normal, this.#preTokenizer.patterns)) {
      const known = this.#cache.get(word);
      if (known !== undefined) {
        if (known.length === 1) into.push(known[0]!);
        else into.append(known);
        continue;
      }
      const start = into.length;
      this.#encodeWord(word, into);
      if (word.length <= MAX_CACHED_WORD) this.#cache.set(word, into.slice(start));
    }
  }

  #encodeWord(word: string, into: IdBuffer): void {
    if (this.#bytes.length < word.length * 3) this.#bytes = new Uint8Array(word.length * 3);
    const bytes = this.#bytes;
    const length = writeUtf8(word, 0, word.length, bytes, 0);
    if (this.#preTokenizer.ignoresMerges) {
      let hash = 0;
      for (let i = 0; i < length; i++) hash = hashByte(hash, bytes[i]!);
      const id = this.#vocabulary.find(bytes, 0, length, hash);
      if (id >= 0) {
        into.push(id);
        return;
      }
    }
    const merger = this.#merger;
    merger.reserve(length);
    let numSymbols = 0;
    for (let i = 0; i < length; i++) {
      const id = this.#vocabulary.byteIds[bytes[i]!]!;
      if (id < 0) continue;
      merger.ids[numSymbols] = id;
      merger.starts[numSymbols] = numSymbols;
      numSymbols++;
    }
    merger.starts[numSymbols] = numSymbols;
    const count = merger.run(numSymbols, this.#rules);
    for (let i = 0; i < count; i++) into.push(merger.ids[i]!);
  }
}
