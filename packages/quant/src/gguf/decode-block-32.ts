import { f16ToNumber } from '../half.js';

/** Decodes the block at `at` to 32 floats at `out[to]`. */
export type BlockDecoder = (block: DataView, at: number, out: Float32Array, to: number) => void;

const HALF = 16;

/** `w = d (q - 8)`. Bytes: d f16, then 16 bytes whose low nibbles are elements 0-15 and high nibbles 16-31. */
export const decodeQ4_0: BlockDecoder = (block, at, out, to) => {
  const d = f16At(block, at);
  for (let j = 0; j < HALF; j++) {
    const byte = block.getUint8(at + 2 + j);
    out[to + j] = d * ((byte & 15) - 8);
    out[to + j + HALF] = d * ((byte >> 4) - 8);
  }
};

/** `w = d q + m`. Bytes: d f16, m f16, nibbles as in Q4_0. */
export const decodeQ4_1: BlockDecoder = (block, at, out, to) => {
  const d = f16At(block, at);
  const m = f16At(block, at + 2);
  for (let j = 0; j < HALF; j++) {
    const byte = block.getUint8(at + 4 + j);
    out[to + j] = d * (byte & 15) + m;
    out[to + j + HALF] = d * (byte >> 4) + m;
  }
};

/** `w = d (q - 16)`. Bytes: d f16, 32 fifth bits (bit j is element j's), nibbles as in Q4_0. */
export const decodeQ5_0: BlockDecoder = (block, at, out, to) => {
  const d = f16At(block, at);
  const high = block.getUint32(at + 2, true);
  for (let j = 0; j < HALF; j++) {
    const byte = block.getUint8(at + 6 + j);
    out[to + j] = d * (((byte & 15) | fifthBit(high, j)) - 16);
    out[to + j + HALF] = d * (((byte >> 4) | fifthBit(high, j + HALF)) - 16);
  }
};

/** `w = d q + m`. Bytes: d f16, m f16, 32 fifth bits, nibbles as in Q4_0. */
export const decodeQ5_1: BlockDecoder = (block, at, out, to) => {
  const d = f16At(block, at);
  const m = f16At(block, at + 2);
  const high = block.getUint32(at + 4, true);
  for (let j = 0; j < HALF; j++) {
    const byte = block.getUint8(at + 8 + j);
    out[to + j] = d * ((byte & 15) | fifthBit(high, j)) + m;
    out[to + j + HALF] = d * ((byte >> 4) | fifthBit(high, j + HALF)) + m;
  }
};

/** `w = d q`. Bytes: d f16, 32 signed codes. */
export const decodeQ8_0: BlockDecoder = (block, at, out, to) => {
  const d = f16At(block, at);
  for (let j = 0; j < 32; j++) out[to + j] = d * block.getInt8(at + 2 + j);
};

/** A little-endian binary16. */
export function f16At(block: DataView, at: number): number {
  return f16ToNumber(block.getUint16(at, true));
}

function fifthBit(high: number, element: number): number {
  return ((high >>> element) & 1) << 4;
}
