import type { BlockLayout } from '@kvasir/interfaces';
import { describe, expect, it } from 'vitest';
import { BLOCK_ENCODINGS, DENSE_ENCODINGS, decodeRow } from '../src/index.js';

// Bytes and floats below were worked out by hand from the format's description, never by our encoder.

const hex = (text: string) => Uint8Array.from(Buffer.from(text.replaceAll(/\s/g, ''), 'hex'));
const decode = (layout: BlockLayout, text: string) => [
  ...decodeRow(BLOCK_ENCODINGS[layout], hex(text), BLOCK_ENCODINGS[layout].blockSize),
];

const HALF = '0038'; // 0.5
const QUARTER = '0034'; // 0.25
const MINUS_ONE = '00bc'; // -1
/** Low nibbles 0..15, high nibbles 15..0. */
const NIBBLES = 'f0 e1 d2 c3 b4 a5 96 87 78 69 5a 4b 3c 2d 1e 0f';

describe('blocks of 32: known codes', () => {
  it('q4_0: 0.5 (q - 8)', () => {
    expect(decode('q4_0', HALF + NIBBLES)).toEqual([
      -4, -3.5, -3, -2.5, -2, -1.5, -1, -0.5, 0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5, 3.5, 3, 2.5, 2, 1.5, 1, 0.5, 0, -0.5, -1,
      -1.5, -2, -2.5, -3, -3.5, -4,
    ]);
  });

  it('q4_1: 0.5 q - 1', () => {
    expect(decode('q4_1', HALF + MINUS_ONE + NIBBLES)).toEqual([
      -1, -0.5, 0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5, 5.5, 6, 6.5, 6.5, 6, 5.5, 5, 4.5, 4, 3.5, 3, 2.5, 2, 1.5, 1,
      0.5, 0, -0.5, -1,
    ]);
  });

  it('q5_0: 0.25 (q - 16), fifth bits on elements 0, 1, 15, 16 and 31', () => {
    // Codes: 16+0, 16+1, 2..14, 16+15 | 16+15, 14..1, 16+0.
    expect(decode('q5_0', `${QUARTER} 03800180 ${NIBBLES}`)).toEqual([
      0, 0.25, -3.5, -3.25, -3, -2.75, -2.5, -2.25, -2, -1.75, -1.5, -1.25, -1, -0.75, -0.5, 3.75, 3.75, -0.5, -0.75,
      -1, -1.25, -1.5, -1.75, -2, -2.25, -2.5, -2.75, -3, -3.25, -3.5, -3.75, 0,
    ]);
  });

  it('q5_1: 0.25 q - 1, fifth bits on elements 0, 1, 15, 16 and 31', () => {
    expect(decode('q5_1', `${QUARTER} ${MINUS_ONE} 03800180 ${NIBBLES}`)).toEqual([
      3, 3.25, -0.5, -0.25, 0, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75, 2, 2.25, 2.5, 6.75, 6.75, 2.5, 2.25, 2, 1.75, 1.5,
      1.25, 1, 0.75, 0.5, 0.25, 0, -0.25, -0.5, -0.75, 3,
    ]);
  });

  it('q8_0: 0.5 q', () => {
    const codes = '80 81 ff 00 01 02 7e 7f 10 20 30 40 f0 e0 d0 c0 80 81 ff 00 01 02 7e 7f 10 20 30 40 f0 e0 d0 c0';
    const half = [-64, -63.5, -0.5, 0, 0.5, 1, 63, 63.5, 8, 16, 24, 32, -8, -16, -24, -32];
    expect(decode('q8_0', HALF + codes)).toEqual([...half, ...half]);
  });
});

describe('super-blocks of 256: known codes', () => {
  /**
   * Scales 1, 2, 3, 4, 17, 34, 51, 63 and minimums 5, 6, 7, 8, 16, 33, 50, 62 of the eight sub-blocks.
   * Bytes 0-3: scale j plus bits 4-5 of scale j+4; bytes 4-7 the same of minimums; bytes 8-11: low nibbles of both for j+4.
   */
  const SCALES = '41 82 c3 c4  45 86 c7 c8  01 12 23 ef';
  const scale = [1, 2, 3, 4, 17, 34, 51, 63];
  const minimum = [5, 6, 7, 8, 16, 33, 50, 62];

  it('q4_k: 0.5 scale q - 0.25 minimum', () => {
    // Bytes of each pair of sub-blocks: even one has codes 0..15 twice, odd one 15..0 twice.
    const floats = decode('q4_k', HALF + QUARTER + SCALES + (NIBBLES + NIBBLES).repeat(4));
    expect(floats.slice(0, 16)).toEqual([
      -1.25, -0.75, -0.25, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3.25, 3.75, 4.25, 4.75, 5.25, 5.75, 6.25,
    ]);
    expect(floats.slice(32, 48)).toEqual([
      13.5, 12.5, 11.5, 10.5, 9.5, 8.5, 7.5, 6.5, 5.5, 4.5, 3.5, 2.5, 1.5, 0.5, -0.5, -1.5,
    ]);
    expect(floats.slice(128, 132)).toEqual([-4, 4.5, 13, 21.5]);
    expect(floats.slice(240, 256)).toEqual([
      457, 425.5, 394, 362.5, 331, 299.5, 268, 236.5, 205, 173.5, 142, 110.5, 79, 47.5, 16, -15.5,
    ]);
    for (let j = 0; j < 8; j++) {
      const ramp = Array.from({ length: 32 }, (_, l) => (j % 2 === 0 ? l % 16 : 15 - (l % 16)));
      expect(floats.slice(32 * j, 32 * j + 32)).toEqual(
        ramp.map((q) => 0.5 * (scale[j] ?? 0) * q - 0.25 * (minimum[j] ?? 0)),
      );
    }
  });

  it('q5_k: as q4_k, with the fifth bit of sub-block j in bit j', () => {
    // Byte l of the fifth bits is 0x81 for l = 0 and 0x02 for l = 1, else 0: sub-blocks 0 and 7 at element 0, sub-block 1 at element 1.
    const floats = decode(
      'q5_k',
      `${HALF}${QUARTER}${SCALES} 8102 ${'00'.repeat(30)} ${(NIBBLES + NIBBLES).repeat(4)}`,
    );
    expect(floats.slice(0, 4)).toEqual([6.75, -0.75, -0.25, 0.25]);
    expect(floats.slice(32, 36)).toEqual([13.5, 28.5, 11.5, 10.5]);
    expect(floats.slice(64, 68)).toEqual([-1.75, -0.25, 1.25, 2.75]);
    expect(floats.slice(224, 228)).toEqual([961, 425.5, 394, 362.5]);
  });

  it('q6_k: 0.25 scale (q - 32)', () => {
    // Nibbles 0..15 low and 15..0 high in each 16 bytes; bit pairs 0b11100100, so quarter k adds 16 k; scales 1..16 signed alternately.
    const scales = '01 fe 03 fc 05 fa 07 f8 09 f6 0b f4 0d f2 0f f0';
    const floats = decode('q6_k', NIBBLES.repeat(8) + 'e4'.repeat(64) + scales + QUARTER);
    // Quarter 0, sub-block 0, scale 1: codes 0..15 - 32.
    expect(floats.slice(0, 16)).toEqual([
      -8, -7.75, -7.5, -7.25, -7, -6.75, -6.5, -6.25, -6, -5.75, -5.5, -5.25, -5, -4.75, -4.5, -4.25,
    ]);
    // Quarter 0, sub-block 1, scale -2.
    expect(floats.slice(16, 20)).toEqual([16, 15.5, 15, 14.5]);
    // Quarter 1, sub-block 2, scale 3: codes 16..31 - 32.
    expect(floats.slice(32, 36)).toEqual([-12, -11.25, -10.5, -9.75]);
    // Quarter 2, sub-block 4, scale 5: codes 47..32 - 32.
    expect(floats.slice(64, 68)).toEqual([18.75, 17.5, 16.25, 15]);
    // Quarter 3 of the second half, sub-block 15, scale -16: codes 63..48 - 32.
    expect(floats.slice(240, 244)).toEqual([-124, -120, -116, -112]);
  });
});

describe('dense', () => {
  it('f32, f16 and bf16 are little-endian', () => {
    expect([...decodeRow(DENSE_ENCODINGS.f32, hex('0000803f 000020c0'), 2)]).toEqual([1, -2.5]);
    expect([...decodeRow(DENSE_ENCODINGS.f16, hex('003c 00c1'), 2)]).toEqual([1, -2.5]);
    expect([...decodeRow(DENSE_ENCODINGS.bf16, hex('803f 20c0'), 2)]).toEqual([1, -2.5]);
  });
});
