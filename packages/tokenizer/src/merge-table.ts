import { createByteOfCode } from './byte-alphabet.js';
import { InvalidVocabularyError } from './errors.js';
import type { MergeRules } from './pair-merger.js';
import { hashByte, type Vocabulary } from './vocabulary.js';

const SPACE = 0x20;
const LEFT = 0;
const RIGHT = 1;
const RULE = 2;

/**
 * Merge rules of a byte-level BPE by (left id, right id); a rule is its rank.
 * One Int32Array of slots `{left + 1, right, rule}`, padded to 16 bytes, open addressing, at most half full.
 */
export class MergeTable implements MergeRules {
  readonly numRules: number;
  readonly #results: Int32Array;
  readonly #slots: Int32Array;
  readonly #mask: number;
  readonly #byteOfCode = createByteOfCode();
  #scratch = new Uint8Array(512);

  /** Reads `"left right"` rules, best first. O(total characters). */
  constructor(merges: readonly string[], vocabulary: Vocabulary) {
    this.numRules = merges.length;
    this.#results = new Int32Array(merges.length);
    const capacity = 2 ** Math.ceil(Math.log2(Math.max(merges.length, 1) * 2));
    this.#slots = new Int32Array(capacity * 4);
    this.#mask = capacity - 1;
    for (let rule = 0; rule < merges.length; rule++) this.#read(merges[rule]!, rule, vocabulary);
  }

  find(left: number, right: number): number {
    const slots = this.#slots;
    for (let slot = mixPair(left, right) & this.#mask; ; slot = (slot + 1) & this.#mask) {
      const at = slot * 4;
      if (slots[at + LEFT] === left + 1 && slots[at + RIGHT] === right) return slots[at + RULE]!;
      if (slots[at + LEFT] === 0) return -1;
    }
  }

  priorityOf(rule: number): number {
    return rule;
  }

  resultOf(rule: number): number {
    return this.#results[rule]!;
  }

  #read(merge: string, rule: number, vocabulary: Vocabulary): void {
    if (merge.length > this.#scratch.length) this.#scratch = new Uint8Array(merge.length * 2);
    const bytes = this.#scratch;
    const byteOfCode = this.#byteOfCode;
    let whole = 0;
    let part = 0;
    let leftHash = 0;
    let border = 0;
    let at = 0;
    for (let i = 0; i < merge.length; i++) {
      const code = merge.charCodeAt(i);
      if (code === SPACE && i > 0 && border === 0) {
        border = at;
        leftHash = part;
        part = 0;
        continue;
      }
      const byte = code < 0x144 ? byteOfCode[code]! : -1;
      if (byte < 0) throw invalidRule(merge, rule);
      bytes[at++] = byte;
      whole = hashByte(whole, byte);
      part = hashByte(part, byte);
    }
    if (border === 0 || border === at) throw invalidRule(merge, rule);
    const left = vocabulary.find(bytes, 0, border, leftHash);
    const right = vocabulary.find(bytes, border, at, part);
    const result = vocabulary.find(bytes, 0, at, whole);
    if (left < 0 || right < 0 || result < 0) throw invalidRule(merge, rule);
    this.#results[rule] = result;
    this.#insert(left, right, rule);
  }

  #insert(left: number, right: number, rule: number): void {
    const slots = this.#slots;
    let slot = mixPair(left, right) & this.#mask;
    for (; slots[slot * 4 + LEFT] !== 0; slot = (slot + 1) & this.#mask) {
      if (slots[slot * 4 + LEFT] === left + 1 && slots[slot * 4 + RIGHT] === right) return;
    }
    slots[slot * 4 + LEFT] = left + 1;
    slots[slot * 4 + RIGHT] = right;
    slots[slot * 4 + RULE] = rule;
  }
}

function mixPair(left: number, right: number): number {
  const mixed = Math.imul(Math.imul(left, 0x9e3779b1) ^ right, 0x85ebca6b);
  return mixed ^ (mixed >>> 15);
}

function invalidRule(merge: string, rule: number): InvalidVocabularyError {
  return new InvalidVocabularyError(
    `merge rule ${rule} is '${merge}', expected two tokens of the vocabulary, separated by a space, whose joined text is a token too`,
    { rule },
  );
}
