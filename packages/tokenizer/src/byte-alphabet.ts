/**
 * Byte of each UTF-16 code unit of the byte-level alphabet, or -1. Printable Latin-1 stands for itself, every other
 * byte for a code unit from U+0100 on (Radford et al., GPT-2).
 */
export function createByteOfCode(): Int16Array {
  const byteOfCode = new Int16Array(0x144).fill(-1);
  let next = 0x100;
  for (let byte = 0; byte < 256; byte++) {
    const isPrintable = (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad);
    byteOfCode[isPrintable ? byte : next++] = byte;
  }
  return byteOfCode;
}
