import type { SpecialToken } from '@kvasir/interfaces';

/** Finds special tokens inside text: leftmost first, and the longest where several start. */
export class SpecialTokens {
  readonly #ids = new Map<string, number>();
  /** Lengths to try (longest first) by the first code unit, or by the first two as `first * 65536 + second`. */
  readonly #lengths = new Map<number, number[]>();
  readonly #firstUnits = new Uint8Array(65536);

  constructor(tokens: Iterable<SpecialToken>) {
    const lengths = new Map<number, Set<number>>();
    for (const { id, content } of tokens) {
      if (content.length === 0 || this.#ids.has(content)) continue;
      this.#ids.set(content, id);
      this.#firstUnits[content.charCodeAt(0)] = 1;
      const key = prefixKey(content, 0, content.length);
      const known = lengths.get(key);
      if (known === undefined) lengths.set(key, new Set([content.length]));
      else known.add(content.length);
    }
    for (const [key, known] of lengths)
      this.#lengths.set(
        key,
        [...known].sort((a, b) => b - a),
      );
  }

  /** Id of the special token whose text is exactly `content`. */
  idOf(content: string): number | undefined {
    return this.#ids.get(content);
  }

  /** Calls `onText` for `[start, end)` between special tokens (never empty) and `onToken` for each token, in order. */
  split(text: string, onText: (start: number, end: number) => void, onToken: (id: number) => void): void {
    let start = 0;
    for (let at = 0; at < text.length; ) {
      const length = this.#firstUnits[text.charCodeAt(at)] === 0 ? 0 : this.#matchAt(text, at);
      if (length === 0) {
        at++;
        continue;
      }
      if (at > start) onText(start, at);
      onToken(this.#ids.get(text.slice(at, at + length))!);
      at += length;
      start = at;
    }
    if (text.length > start) onText(start, text.length);
  }

  #matchAt(text: string, at: number): number {
    for (const length of this.#lengths.get(prefixKey(text, at, text.length)) ?? []) {
      if (at + length <= text.length && this.#ids.has(text.slice(at, at + length))) return length;
    }
    return this.#ids.has(text.charAt(at)) ? 1 : 0;
  }
}

function prefixKey(text: string, at: number, end: number): number {
  return at + 1 < end ? 0x10000 + text.charCodeAt(at) * 0x10000 + text.charCodeAt(at + 1) : text.charCodeAt(at);
}
