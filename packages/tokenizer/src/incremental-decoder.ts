import type { DecodeOptions, IncrementalDecoder } from '@kvasir/interfaces';
import type { TokenTable } from './token-table.js';
import { decodeUtf8, incompleteTail } from './utf8.js';

/** Decodes one stream of ids; at most three bytes of an unfinished character wait between calls. */
export class StreamDecoder implements IncrementalDecoder {
  readonly #table: TokenTable;
  readonly #skipsSpecial: boolean;
  readonly #joinsSpecial: boolean;
  #wasSpecial = false;
  #pending = new Uint8Array(0);
  #isStripping: boolean;

  constructor(table: TokenTable, options: DecodeOptions = {}) {
    this.#table = table;
    this.#skipsSpecial = options.skipSpecialTokens ?? true;
    this.#joinsSpecial = options.spacesBetweenSpecialTokens === false;
    this.#isStripping = table.stripsLeadingSpace;
  }

  /** @throws {@link TokenIdOutOfRangeError} If there is no such id; the decoder is unchanged. */
  push(id: number): string {
    const table = this.#table;
    const isSpecial = table.isSpecial(id);
    if (isSpecial && this.#skipsSpecial) return '';
    const joins = isSpecial && this.#wasSpecial && this.#joinsSpecial;
    this.#wasSpecial = isSpecial;
    const text = this.#decode(id);
    return joins && text.startsWith(' ') ? text.slice(1) : text;
  }

  #decode(id: number): string {
    const table = this.#table;
    if (this.#pending.length === 0) {
      const text = table.completeText(id);
      if (text !== undefined) return this.#emit(text);
    }
    const bytes = table.tokenBytes(id);
    const joined = new Uint8Array(this.#pending.length + bytes.length);
    joined.set(this.#pending);
    joined.set(bytes, this.#pending.length);
    const end = joined.length - incompleteTail(joined, 0, joined.length);
    this.#pending = joined.slice(end);
    return this.#emit(decodeUtf8(joined.subarray(0, end)));
  }

  flush(): string {
    const text = decodeUtf8(this.#pending);
    this.#pending = new Uint8Array(0);
    return this.#emit(text);
  }

  #emit(text: string): string {
    if (!this.#isStripping || text.length === 0) return text;
    this.#isStripping = false;
    return text.startsWith(' ') ? text.slice(1) : text;
  }
}
