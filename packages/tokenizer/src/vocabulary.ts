import { InvariantError } from '@kvasir/interfaces';
import { createByteOfCode } from './byte-alphabet.js';
import { InvalidVocabularyError } from './errors.js';
import { writeUtf8 } from './utf8.js';

const HASH_BASE = 0x01000193;

/** How the token strings of a vocabulary spell bytes: GPT-2 byte alphabet, or UTF-8 with ▁ for a space. */
export type TokenSpelling = 'byte-level' | 'sentencepiece';

/** GGUF token types. */
export const TokenType = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const;

/** Next state of the polynomial hash after `byte`; `hash(xy) = hash(x) * base^|y| + hash(y)` modulo 2^32. */
export function hashByte(hash: number, byte: number): number {
  return (Math.imul(hash, HASH_BASE) + byte + 1) | 0;
}

/**
 * Token bytes in one arena, and a hash index from bytes to id.
 *
 * ```
 * arena    | bytes of token 0 | bytes of token 1 | ...        offsets[id] .. offsets[id + 1]
 * slots    open addressing, power of two, id + 1 or 0; hashes[id] decides before any byte is compared
 * ```
 * Tokens that text never merges into (control, unknown, byte) have bytes but no slot.
 */
export class Vocabulary {
  readonly numTokens: number;
  /** Token types, see {@link TokenType}. */
  readonly types: Int32Array;
  /** Id of each single byte (`Ġ`-style or `<0xNN>`), or -1. */
  readonly byteIds = new Int32Array(256).fill(-1);
  readonly #offsets: Uint32Array;
  readonly #hashes: Int32Array;
  readonly #slots: Int32Array;
  readonly #mask: number;
  #arena: Uint8Array;

  constructor(tokens: readonly string[], types: Int32Array, spelling: TokenSpelling) {
    if (types.length !== tokens.length) {
      throw new InvalidVocabularyError(`${tokens.length} tokens need as many token types, got ${types.length}`);
    }
    this.numTokens = tokens.length;
    this.types = types;
    this.#offsets = new Uint32Array(tokens.length + 1);
    this.#hashes = new Int32Array(tokens.length);
    const capacity = 2 ** Math.ceil(Math.log2(Math.max(tokens.length, 1) * 2));
    this.#slots = new Int32Array(capacity);
    this.#mask = capacity - 1;
    this.#arena = new Uint8Array(Math.max(1024, tokens.length * 12));
    if (spelling === 'byte-level') this.#fillByteLevel(tokens);
    else this.#fillSentencePiece(tokens);
  }

  /** Bytes of all tokens, back to back; a view, do not write. */
  get arena(): Uint8Array {
    return this.#arena;
  }

  /** Borders of the tokens in {@link arena}: token `id` is `[offsets[id], offsets[id + 1])`. */
  get offsets(): Uint32Array {
    return this.#offsets;
  }

  /** First arena byte of `id`. */
  startOf(id: number): number {
    return this.#offsets[id]!;
  }

  /** Arena byte after the last of `id`. */
  endOf(id: number): number {
    return this.#offsets[id + 1]!;
  }

  /** Bytes of `id`, a view of the arena. */
  bytesOf(id: number): Uint8Array {
    return this.#arena.subarray(this.#offsets[id]!, this.#offsets[id + 1]!);
  }

  /** Id of the token spelt by `bytes[start, end)`, whose {@link hashByte} hash is `hash`; -1 if there is none. */
  find(bytes: Uint8Array, start: number, end: number, hash: number): number {
    const slots = this.#slots;
    const mask = this.#mask;
    for (let slot = mix(hash) & mask; ; slot = (slot + 1) & mask) {
      const id = slots[slot]! - 1;
      if (id < 0) return -1;
      if (this.#hashes[id] === hash && this.#equals(id, bytes, start, end)) return id;
    }
  }

  /** Id of the token spelt by `bytes`; -1 if there is none. */
  findBytes(bytes: Uint8Array): number {
    let hash = 0;
    for (let i = 0; i < bytes.length; i++) hash = hashByte(hash, bytes[i]!);
    return this.find(bytes, 0, bytes.length, hash);
  }

  /** Checks offsets, hashes and that every indexed token finds itself or an earlier token of equal bytes. O(arena). */
  checkIntegrity(): void {
    for (let id = 0; id < this.numTokens; id++) {
      const [start, end] = [this.startOf(id), this.endOf(id)];
      if (start > end || end > this.#arena.length)
        throw new InvariantError('token bytes leave the arena', { id, start, end });
      if (!isMergeable(this.types[id]!)) continue;
      const found = this.findBytes(this.bytesOf(id));
      if (start < end && (found < 0 || found > id)) throw new InvariantError('token is not indexed', { id, found });
    }
  }

  #equals(id: number, bytes: Uint8Array, start: number, end: number): boolean {
    const arena = this.#arena;
    let at = this.#offsets[id]!;
    if (this.#offsets[id + 1]! - at !== end - start) return false;
    for (let i = start; i < end; i++) if (arena[at++] !== bytes[i]) return false;
    return true;
  }

  #reserve(end: number): Uint8Array {
    if (end > this.#arena.length) {
      const grown = new Uint8Array(Math.max(end, this.#arena.length * 2));
      grown.set(this.#arena);
      this.#arena = grown;
    }
    return this.#arena;
  }

  #fillByteLevel(tokens: readonly string[]): void {
    const byteOfCode = createByteOfCode();
    let at = 0;
    for (let id = 0; id < tokens.length; id++) {
      const token = tokens[id]!;
      const arena = this.#reserve(at + token.length * 3);
      const start = at;
      let hash = 0;
      let isSpelt = this.types[id] === TokenType.normal || this.types[id] === TokenType.byte;
      for (let i = 0; isSpelt && i < token.length; i++) {
        const code = token.charCodeAt(i);
        const byte = code < 0x144 ? byteOfCode[code]! : -1;
        isSpelt = byte >= 0;
        arena[at++] = byte;
        hash = hashByte(hash, byte);
      }
      if (!isSpelt) at = writeUtf8(token, 0, token.length, arena, start);
      this.#offsets[id + 1] = at;
      if (!isSpelt) continue;
      if (at - start === 1 && this.byteIds[arena[start]!] === -1) this.byteIds[arena[start]!] = id;
      this.#insert(id, hash);
    }
  }

  #fillSentencePiece(tokens: readonly string[]): void {
    let at = 0;
    for (let id = 0; id < tokens.length; id++) {
      const token = tokens[id]!;
      const arena = this.#reserve(at + token.length * 3);
      const start = at;
      const type = this.types[id]!;
      if (type === TokenType.byte) {
        const byte = /^<0x[0-9A-Fa-f]{2}>$/.test(token) ? Number.parseInt(token.slice(3, 5), 16) : -1;
        if (byte < 0)
          throw new InvalidVocabularyError(`byte token ${id} is '${token}', expected <0x00> to <0xFF>`, {
            tokenId: id,
          });
        this.byteIds[byte] = id;
        arena[at++] = byte;
      } else if (!isMergeable(type)) {
        at = writeUtf8(token, 0, token.length, arena, at);
      } else {
        let hash = 0;
        for (let i = 0; i < token.length; i++) {
          const code = token.charCodeAt(i);
          const from = at;
          if (code < 0x80) arena[at++] = code;
          else if (code === 0x2581) arena[at++] = 0x20;
          else {
            const units = (code & 0xfc00) === 0xd800 ? 2 : 1;
            at = writeUtf8(token, i, i + units, arena, at);
            i += units - 1;
          }
          for (let j = from; j < at; j++) hash = hashByte(hash, arena[j]!);
        }
        if (at > start) this.#insert(id, hash);
      }
      this.#offsets[id + 1] = at;
    }
  }

  #insert(id: number, hash: number): void {
    this.#hashes[id] = hash;
    const slots = this.#slots;
    const [start, end] = [this.#offsets[id]!, this.#offsets[id + 1]!];
    let slot = mix(hash) & this.#mask;
    for (; slots[slot] !== 0; slot = (slot + 1) & this.#mask) {
      const other = slots[slot]! - 1;
      if (this.#hashes[other] === hash && end > start && this.#equals(other, this.#arena, start, end)) return;
    }
    slots[slot] = id + 1;
  }
}

function isMergeable(type: number): boolean {
  return type === TokenType.normal || type === TokenType.userDefined || type === TokenType.unused;
}

function mix(hash: number): number {
  const mixed = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return mixed ^ (mixed >>> 13);
}
