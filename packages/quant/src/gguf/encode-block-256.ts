import { f16ToNumber, numberToF16 } from '../half.js';
import { type BlockEncoder, code, largest, writeF16 } from './encode-block-32.js';

const SUB_BLOCKS = 8;
const MAX_SCALE = 63;

export const encodeQ4K: BlockEncoder = (values, from, block, at) => {
  const codes = encodeSubBlocks(values, from, block, at, 15);
  writeNibbles(block, at + 16, codes);
};

export const encodeQ5K: BlockEncoder = (values, from, block, at) => {
  const codes = encodeSubBlocks(values, from, block, at, 31);
  for (let l = 0; l < 32; l++) {
    let bits = 0;
    for (let j = 0; j < SUB_BLOCKS; j++) bits |= ((codes[32 * j + l] as number) >> 4) << j;
    block.setUint8(at + 16 + l, bits);
  }
  writeNibbles(block, at + 48, codes);
};

export const encodeQ6K: BlockEncoder = (values, from, block, at) => {
  const wanted = Array.from({ length: 16 }, (_, group) => largest(values, from + 16 * group, 16) / -32);
  const top = wanted.reduce((a, b) => (Math.abs(b) > Math.abs(a) ? b : a));
  const d = writeF16(block, at + 208, top / -128);
  for (let element = 0; element < 256; element++) {
    const group = element >> 4;
    const scale = d === 0 ? 0 : Math.min(127, Math.max(-128, Math.round((wanted[group] as number) / d)));
    block.setInt8(at + 192 + group, scale);
    const q = code(values[from + element] as number, d * scale, -32 * d * scale, 63);
    writeSixBits(block, at, element, q);
  }
};

/** Writes d, dmin and the packed scales and minimums; returns the 256 codes. */
function encodeSubBlocks(values: Float32Array, from: number, block: DataView, at: number, maxCode: number): Uint8Array {
  const ranges = Array.from({ length: SUB_BLOCKS }, (_, j) => {
    const run = values.subarray(from + 32 * j, from + 32 * (j + 1));
    // The offset is subtracted and cannot be negative, so a run of positive values starts at 0.
    const low = Math.min(0, ...run);
    return { scale: (Math.max(0, ...run) - low) / maxCode, minimum: -low };
  });
  const d = writeF16Up(block, at, Math.max(...ranges.map(({ scale }) => scale)) / MAX_SCALE);
  const dmin = writeF16Up(block, at + 2, Math.max(...ranges.map(({ minimum }) => minimum)) / MAX_SCALE);
  const codes = new Uint8Array(256);
  ranges.forEach(({ scale, minimum }, j) => {
    const scaleCode = code(scale, d, 0, MAX_SCALE);
    const minimumCode = code(minimum, dmin, 0, MAX_SCALE);
    writeScaleAndMinimum(block, at + 4, j, scaleCode, minimumCode);
    for (let l = 0; l < 32; l++) {
      codes[32 * j + l] = code(values[from + 32 * j + l] as number, d * scaleCode, -dmin * minimumCode, maxCode);
    }
  });
  return codes;
}

/** Rounds up, so that the largest scale never needs a code above 63. */
function writeF16Up(block: DataView, at: number, value: number): number {
  const nearest = numberToF16(value);
  const bits = f16ToNumber(nearest) < value ? nearest + 1 : nearest;
  block.setUint16(at, bits, true);
  return f16ToNumber(bits);
}

function writeScaleAndMinimum(block: DataView, at: number, j: number, scale: number, minimum: number): void {
  const or = (index: number, bits: number) => block.setUint8(at + index, block.getUint8(at + index) | bits);
  if (j < 4) {
    or(j, scale);
    or(j + 4, minimum);
    return;
  }
  or(j + 4, (scale & 15) | ((minimum & 15) << 4));
  or(j - 4, (scale >> 4) << 6);
  or(j, (minimum >> 4) << 6);
}

function writeNibbles(block: DataView, at: number, codes: Uint8Array): void {
  for (let j = 0; j < SUB_BLOCKS; j += 2) {
    for (let l = 0; l < 32; l++) {
      const low = (codes[32 * j + l] as number) & 15;
      const high = (codes[32 * (j + 1) + l] as number) & 15;
      block.setUint8(at + 16 * j + l, low | (high << 4));
    }
  }
}

function writeSixBits(block: DataView, at: number, element: number, q: number): void {
  const half = element >> 7;
  const quarter = (element >> 5) & 3;
  const l = element & 31;
  const nibble = at + 64 * half + l + 32 * (quarter & 1);
  block.setUint8(nibble, block.getUint8(nibble) | ((q & 15) << (quarter < 2 ? 0 : 4)));
  const pair = at + 128 + 32 * half + l;
  block.setUint8(pair, block.getUint8(pair) | ((q >> 4) << (2 * quarter)));
}
