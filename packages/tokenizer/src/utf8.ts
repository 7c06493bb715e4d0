const strictDecoder = new TextDecoder('utf-8', { ignoreBOM: true });

/**
 * Writes UTF-16 `[start, end)` of `text` as UTF-8 at `offset`; a lone surrogate becomes U+FFFD.
 * The caller has room for three bytes a code unit.
 * @returns The offset after the last byte.
 */
export function writeUtf8(text: string, start: number, end: number, target: Uint8Array, offset: number): number {
  let at = offset;
  for (let i = start; i < end; i++) {
    let code = text.charCodeAt(i);
    if (code < 0x80) {
      target[at++] = code;
    } else if (code < 0x800) {
      target[at++] = 0xc0 | (code >> 6);
      target[at++] = 0x80 | (code & 0x3f);
    } else {
      if ((code & 0xf800) === 0xd800) {
        const low = code < 0xdc00 && i + 1 < end ? text.charCodeAt(i + 1) : 0;
        if ((low & 0xfc00) === 0xdc00) {
          code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
          i++;
          target[at++] = 0xf0 | (code >> 18);
          target[at++] = 0x80 | ((code >> 12) & 0x3f);
          target[at++] = 0x80 | ((code >> 6) & 0x3f);
          target[at++] = 0x80 | (code & 0x3f);
          continue;
        }
        code = 0xfffd;
      }
      target[at++] = 0xe0 | (code >> 12);
      target[at++] = 0x80 | ((code >> 6) & 0x3f);
      target[at++] = 0x80 | (code & 0x3f);
    }
  }
  return at;
}

/** UTF-8 to text; each maximal ill-formed part becomes one U+FFFD, and a byte order mark is kept. */
export function decodeUtf8(bytes: Uint8Array): string {
  return strictDecoder.decode(bytes);
}

/** Length of the UTF-8 character that `lead` opens; 1 for a stray continuation byte. */
export function utf8Length(lead: number): number {
  return lead < 0xc0 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

/**
 * Number of bytes (0 to 3) at the end of `bytes[start, end)` that open a character which later bytes may still complete.
 * Cutting there is exact: a lead byte starts a new character whatever came before it.
 */
export function incompleteTail(bytes: Uint8Array, start: number, end: number): number {
  for (let length = 1; length <= 3 && end - length >= start; length++) {
    const lead = bytes[end - length]!;
    if ((lead & 0xc0) === 0x80) continue;
    if (lead < 0xc2 || lead > 0xf4 || utf8Length(lead) <= length) return 0;
    if (length === 1) return 1;
    const second = bytes[end - length + 1]!;
    const isPossible =
      second >= (lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80) &&
      second <= (lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf);
    return isPossible ? length : 0;
  }
  return 0;
}
