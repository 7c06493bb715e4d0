import { type BlockDecoder, f16At } from './decode-block-32.js';

/** The 6-bit scale and minimum of sub-block `j` of 8, packed into 12 bytes at `at`. */
function scaleAndMinimum(block: DataView, at: number, j: number): { scale: number; minimum: number } {
  const byte = (index: number) => block.getUint8(at + index);
  if (j < 4) return { scale: byte(j) & 63, minimum: byte(j + 4) & 63 };
  return {
    scale: (byte(j + 4) & 15) | ((byte(j - 4) >> 6) << 4),
    minimum: (byte(j + 4) >> 4) | ((byte(j) >> 6) << 4),
  };
}

/**
 * `w = d scale q - dmin minimum` over eight sub-blocks of 32. Bytes: d f16, dmin f16, 12 of scales and minimums, 128 of nibbles;
 * each 32 bytes hold sub-block 2i in their low and 2i+1 in their high nibbles.
 */
export const decodeQ4K: BlockDecoder = (block, at, out, to) => {
  decodeFourBits(block, at, at + 16, out, to, () => 0);
};

/** As Q4_K with a fifth bit: 32 bytes before the nibbles, where bit j of byte l belongs to element l of sub-block j. */
export const decodeQ5K: BlockDecoder = (block, at, out, to) => {
  decodeFourBits(block, at, at + 48, out, to, (j, l) => ((block.getUint8(at + 16 + l) >> j) & 1) << 4);
};

/**
 * `w = d scale (q - 32)` over sixteen sub-blocks of 16. Bytes: 128 of low nibbles, 64 of high bit pairs, 16 signed scales, d f16.
 * Each half of 128 elements takes 64 bytes of nibbles and 32 of pairs: element l of quarter k has pair k of byte l, and its nibble in byte
 * l (k even) or l + 32 (k odd), low for the first two quarters, high for the last two.
 */
export const decodeQ6K: BlockDecoder = (block, at, out, to) => {
  const d = f16At(block, at + 208);
  for (let element = 0; element < 256; element++) {
    const half = element >> 7;
    const quarter = (element >> 5) & 3;
    const l = element & 31;
    const nibbles = block.getUint8(at + 64 * half + l + 32 * (quarter & 1));
    const low = quarter < 2 ? nibbles & 15 : nibbles >> 4;
    const high = (block.getUint8(at + 128 + 32 * half + l) >> (2 * quarter)) & 3;
    const scale = block.getInt8(at + 192 + (element >> 4));
    out[to + element] = d * scale * ((low | (high << 4)) - 32);
  }
};

function decodeFourBits(
  block: DataView,
  at: number,
  nibblesAt: number,
  out: Float32Array,
  to: number,
  highBit: (subBlock: number, element: number) => number,
): void {
  const d = f16At(block, at);
  const dmin = f16At(block, at + 2);
  for (let j = 0; j < 8; j++) {
    const { scale, minimum } = scaleAndMinimum(block, at + 4, j);
    for (let l = 0; l < 32; l++) {
      const byte = block.getUint8(nibblesAt + 32 * (j >> 1) + l);
      const code = (j % 2 === 0 ? byte & 15 : byte >> 4) | highBit(j, l);
      out[to + 32 * j + l] = d * scale * code - dmin * minimum;
    }
  }
}
