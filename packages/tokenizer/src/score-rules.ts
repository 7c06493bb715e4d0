import type { MergeRules } from './pair-merger.js';
import { hashByte, type Vocabulary } from './vocabulary.js';

/**
 * SentencePiece merge rules: two neighbours join when their text is a token; the token with the best score goes first.
 * A rule is that token's id. The hash of any span is two table reads, so looking a pair up does not depend on its length.
 */
export class ScoreRules implements MergeRules {
  readonly #vocabulary: Vocabulary;
  readonly #scores: Float32Array;
  /** `#powers[n]` = hash base to the n, up to the longest token. */
  readonly #powers: Int32Array;
  #bytes: Uint8Array = new Uint8Array(0);
  /** `#prefixes[n]` = hash of the first n bytes. */
  #prefixes = new Int32Array(1024);

  constructor(vocabulary: Vocabulary, scores: Float32Array) {
    this.#vocabulary = vocabulary;
    this.#scores = scores;
    let longest = 0;
    for (let id = 0; id < vocabulary.numTokens; id++)
      longest = Math.max(longest, vocabulary.endOf(id) - vocabulary.startOf(id));
    this.#powers = new Int32Array(longest + 1);
    this.#powers[0] = 1;
    const base = hashByte(1, -1);
    for (let i = 1; i <= longest; i++) this.#powers[i] = Math.imul(this.#powers[i - 1]!, base);
  }

  /** Prepares for spans of `bytes[0, length)`, which must stay unchanged until the next call. O(length). */
  setBytes(bytes: Uint8Array, length: number): void {
    this.#bytes = bytes;
    if (length + 1 > this.#prefixes.length || this.#prefixes.length > 1 << 16) {
      this.#prefixes = new Int32Array(Math.max(length + 1, 1024));
    }
    const prefixes = this.#prefixes;
    let hash = 0;
    for (let i = 0; i < length; i++) {
      hash = hashByte(hash, bytes[i]!);
      prefixes[i + 1] = hash;
    }
  }

  /** Id of the token spelt by bytes `[start, end)`, or -1. */
  findSpan(start: number, end: number): number {
    const length = end - start;
    if (length >= this.#powers.length) return -1;
    const hash = (this.#prefixes[end]! - Math.imul(this.#prefixes[start]!, this.#powers[length]!)) | 0;
    return this.#vocabulary.find(this.#bytes, start, end, hash);
  }

  find(_left: number, _right: number, start: number, end: number): number {
    return this.findSpan(start, end);
  }

  priorityOf(rule: number): number {
    return -this.#scores[rule]!;
  }

  resultOf(rule: number): number {
    return rule;
  }
}
