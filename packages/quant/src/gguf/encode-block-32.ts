import { f16ToNumber, numberToF16 } from '../half.js';

/** Encodes `values[from, from + blockSize)` into the zeroed block at `at`. */
export type BlockEncoder = (values: Float32Array, from: number, block: DataView, at: number) => void;

const HALF = 16;

/** The largest magnitude goes to code 0 (-8), so that the side of it is exact. */
export const encodeQ4_0: BlockEncoder = (values, from, block, at) => {
  const d = writeF16(block, at, largest(values, from, 32) / -8);
  writeNibbles(block, at + 2, (j) => code(values[from + j] as number, d, -8 * d, 15));
};

export const encodeQ4_1: BlockEncoder = (values, from, block, at) => {
  const { d, m } = writeRange(values, from, block, at, 15);
  writeNibbles(block, at + 4, (j) => code(values[from + j] as number, d, m, 15));
};

export const encodeQ5_0: BlockEncoder = (values, from, block, at) => {
  const d = writeF16(block, at, largest(values, from, 32) / -16);
  writeFiveBits(block, at + 2, (j) => code(values[from + j] as number, d, -16 * d, 31));
};

export const encodeQ5_1: BlockEncoder = (values, from, block, at) => {
  const { d, m } = writeRange(values, from, block, at, 31);
  writeFiveBits(block, at + 4, (j) => code(values[from + j] as number, d, m, 31));
};

export const encodeQ8_0: BlockEncoder = (values, from, block, at) => {
  const d = writeF16(block, at, Math.abs(largest(values, from, 32)) / 127);
  for (let j = 0; j < 32; j++) block.setInt8(at + 2 + j, code(values[from + j] as number, d, -128 * d, 255) - 128);
};

/** Writes a binary16 and returns the value that a decoder will read. */
export function writeF16(block: DataView, at: number, value: number): number {
  const bits = numberToF16(value);
  block.setUint16(at, bits, true);
  return f16ToNumber(bits);
}

/** Nearest code in `0..max` of `value = scale * code + offset`. */
export function code(value: number, scale: number, offset: number, max: number): number {
  if (scale === 0) return 0;
  return clamp(Math.round((value - offset) / scale), max);
}

/** The value of largest magnitude, with its sign. */
export function largest(values: Float32Array, from: number, count: number): number {
  let best = 0;
  for (let j = 0; j < count; j++) {
    const value = values[from + j] as number;
    if (Math.abs(value) > Math.abs(best)) best = value;
  }
  return best;
}

function writeRange(
  values: Float32Array,
  from: number,
  block: DataView,
  at: number,
  max: number,
): { d: number; m: number } {
  const run = values.subarray(from, from + 32);
  const low = run.reduce((a, b) => Math.min(a, b));
  const high = run.reduce((a, b) => Math.max(a, b));
  return { d: writeF16(block, at, (high - low) / max), m: writeF16(block, at + 2, low) };
}

function writeNibbles(block: DataView, at: number, codeOf: (element: number) => number): void {
  for (let j = 0; j < HALF; j++) block.setUint8(at + j, (codeOf(j) & 15) | ((codeOf(j + HALF) & 15) << 4));
}

function writeFiveBits(block: DataView, at: number, codeOf: (element: number) => number): void {
  let high = 0;
  for (let j = 0; j < 32; j++) high |= (codeOf(j) >> 4) << j;
  block.setUint32(at, high >>> 0, true);
  writeNibbles(block, at + 4, codeOf);
}

function clamp(value: number, max: number): number {
  return Math.min(max, Math.max(0, value));
}
