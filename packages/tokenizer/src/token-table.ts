import type { DecodeOptions, IncrementalDecoder } from '@kvasir/interfaces';
import { TokenIdOutOfRangeError } from './errors.js';
import { StreamDecoder } from './incremental-decoder.js';
import { decodeUtf8, incompleteTail } from './utf8.js';

/** What a {@link TokenTable} is made of. */
export interface TokenTableParts {
  readonly vocabSize: number;
  /** Token `id` is `arena[offsets[id], offsets[id + 1])`; ids from `offsets.length - 1` on have no bytes. */
  readonly arena: Uint8Array;
  readonly offsets: ArrayLike<number>;
  /** Ids that {@link DecodeOptions.skipSpecialTokens} leaves out. */
  readonly specialIds: Iterable<number>;
  /** Decoded text loses one leading space: the one that encoding put in front. */
  readonly stripsLeadingSpace: boolean;
}

/** Ids back to bytes and text. */
export class TokenTable {
  readonly vocabSize: number;
  readonly stripsLeadingSpace: boolean;
  readonly #arena: Uint8Array;
  readonly #offsets: ArrayLike<number>;
  readonly #isSpecial: Uint8Array;
  /** Text by id, filled on demand; `null` marks an unfinished character. */
  readonly #texts: (string | null | undefined)[];

  constructor(parts: TokenTableParts) {
    this.vocabSize = parts.vocabSize;
    this.stripsLeadingSpace = parts.stripsLeadingSpace;
    this.#arena = parts.arena;
    this.#offsets = parts.offsets;
    this.#isSpecial = new Uint8Array(parts.vocabSize);
    this.#texts = new Array(parts.vocabSize);
    for (const id of parts.specialIds) this.#isSpecial[id] = 1;
  }

  /** @throws {@link TokenIdOutOfRangeError} If there is no such id. */
  isSpecial(id: number): boolean {
    const flag = this.#isSpecial[id];
    if (flag === undefined) throw new TokenIdOutOfRangeError(id, this.vocabSize);
    return flag === 1;
  }

  /** Bytes of one token, a view of the table. */
  tokenBytes(id: number): Uint8Array {
    this.isSpecial(id);
    if (id + 1 >= this.#offsets.length) return this.#arena.subarray(0, 0);
    return this.#arena.subarray(this.#offsets[id]!, this.#offsets[id + 1]!);
  }

  /** Text of a token that ends with a whole character; `undefined` when the next token may complete its last one. */
  completeText(id: number): string | undefined {
    let text = this.#texts[id];
    if (text === undefined) {
      const bytes = this.tokenBytes(id);
      text = incompleteTail(bytes, 0, bytes.length) === 0 ? decodeUtf8(bytes) : null;
      this.#texts[id] = text;
    }
    return text ?? undefined;
  }

  decode(ids: ArrayLike<number>, options: DecodeOptions = {}): string {
    const decoder = this.createDecoder(options);
    let text = '';
    for (let i = 0; i < ids.length; i++) text += decoder.push(ids[i]!);
    return text + decoder.flush();
  }

  createDecoder(options: DecodeOptions = {}): IncrementalDecoder {
    return new StreamDecoder(this, options);
  }
}
