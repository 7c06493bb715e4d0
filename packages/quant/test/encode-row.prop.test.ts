import type { BlockLayout } from '@kvasir/interfaces';
import { fcParameters } from '@kvasir/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BLOCK_ENCODINGS, DENSE_ENCODINGS, decodeRow, encodeRow } from '../src/index.js';

/**
 * Largest error of a group whose values span `[low, high]`, in its own terms. Half a code step, plus what storing the scale costs:
 * 2^-11 of it in binary16, and for the k layouts half a code of the 6 (or 8) bit scale and minimum of the whole super-block.
 */
type Bound = (group: { low: number; high: number }, block: { span: number; magnitude: number }) => number;

const magnitude = ({ low, high }: { low: number; high: number }) => Math.max(Math.abs(low), Math.abs(high));
const span = ({ low, high }: { low: number; high: number }) => Math.max(high, 0) - Math.min(low, 0);

const BOUNDS: Record<BlockLayout, Bound> = {
  q4_0: (group) => magnitude(group) / 8 + magnitude(group) / 1024,
  q4_1: (group) => (group.high - group.low) * (0.5 / 15 + 1 / 2048) + magnitude(group) / 2048,
  q5_0: (group) => magnitude(group) / 16 + magnitude(group) / 1024,
  q5_1: (group) => (group.high - group.low) * (0.5 / 31 + 1 / 2048) + magnitude(group) / 2048,
  q8_0: (group) => magnitude(group) * (0.5 / 127 + 1 / 1024),
  q4_k: (group, block) => span(group) * (0.5 / 15) + (block.span + block.magnitude) / 100,
  q5_k: (group, block) => span(group) * (0.5 / 31) + (block.span + block.magnitude) / 100,
  // A scale of +128 is clamped to 127.
  q6_k: (group, block) => magnitude(group) / 32 + block.magnitude / 100,
};

/** Values of ordinary weights: groups of very different sizes, one-sided ones and zeros among them. */
const row = fc
  .array(
    fc.tuple(
      fc.double({ min: -4, max: 1, noNaN: true }),
      fc.constantFrom(-1, 0, 1),
      fc.infiniteStream(fc.double({ min: -1, max: 1, noNaN: true })),
    ),
    {
      minLength: 16,
      maxLength: 16,
    },
  )
  .map((groups) =>
    Float32Array.from(
      groups.flatMap(([exponent, side, stream]) =>
        [...stream.take(16)].map((value) => 10 ** exponent * (side === 0 ? value : side * Math.abs(value))),
      ),
    ),
  );

const range = (values: Float32Array) => ({ low: Math.min(...values), high: Math.max(...values) });

describe.each(Object.keys(BOUNDS) as BlockLayout[])('%s', (layout) => {
  const encoding = BLOCK_ENCODINGS[layout];
  // Below 2^-14 binary16 has steps of 2^-24: half of one in d, times the largest factor on it (code, or scale and code), and in m or dmin too.
  const factor = { q4_k: 63 * 15, q5_k: 63 * 31, q6_k: 128 * 32 }[layout as string] ?? 128;
  const subnormal = (factor + 64) * 2 ** -24;

  it('decodes to within the bound of its step, and encodes to valid finite blocks', () => {
    fc.assert(
      fc.property(row, (values) => {
        const bytes = encodeRow(encoding, values);
        expect(bytes).toHaveLength((256 / encoding.blockSize) * encoding.blockBytes);
        const decoded = decodeRow(encoding, bytes, 256);
        const whole = range(values);
        for (let at = 0; at < 256; at += encoding.groupSize) {
          const group = values.subarray(at, at + encoding.groupSize);
          const bound = BOUNDS[layout](range(group), { span: span(whole), magnitude: magnitude(whole) });
          group.forEach((value, index) => {
            expect(Math.abs((decoded[at + index] as number) - value)).toBeLessThanOrEqual(bound + subnormal);
          });
        }
      }),
      fcParameters(60),
    );
  });

  it('is idempotent: what it decoded encodes to the same floats up to the scale rounding', () => {
    fc.assert(
      fc.property(row, (values) => {
        const once = decodeRow(encoding, encodeRow(encoding, values), 256);
        const twice = decodeRow(encoding, encodeRow(encoding, once), 256);
        const largest = Math.max(...once.map(Math.abs));
        const tolerance = layout.endsWith('_k') ? largest / 8 : largest / 512;
        twice.forEach((value, index) => {
          expect(Math.abs(value - (once[index] as number))).toBeLessThanOrEqual(tolerance + 2 * subnormal);
        });
      }),
      fcParameters(30),
    );
  });

  it('keeps zeros', () => {
    expect(
      [...decodeRow(encoding, encodeRow(encoding, new Float32Array(256)), 256)].every((value) => value === 0),
    ).toBe(true);
  });
});

it('dense encodings round each element to its dtype', () => {
  const finite = fc.float({ noNaN: true, noDefaultInfinity: true, min: -60_000, max: 60_000 });
  fc.assert(
    fc.property(fc.array(finite), (array) => {
      const values = Float32Array.from(array);
      expect(decodeRow(DENSE_ENCODINGS.f32, encodeRow(DENSE_ENCODINGS.f32, values), values.length)).toEqual(values);
      for (const [dtype, bits] of [
        ['f16', 11],
        ['bf16', 8],
      ] as const) {
        const decoded = decodeRow(DENSE_ENCODINGS[dtype], encodeRow(DENSE_ENCODINGS[dtype], values), values.length);
        values.forEach((value, index) => {
          expect(Math.abs(value - (decoded[index] as number))).toBeLessThanOrEqual(
            Math.abs(value) * 2 ** -bits + 2 ** -25,
          );
        });
      }
    }),
    fcParameters(),
  );
});
