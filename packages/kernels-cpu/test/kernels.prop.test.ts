import { createCpuBackend } from '@kvasir/kernels-cpu';
import { BLOCK_ENCODINGS, DENSE_ENCODINGS, decodeRow, encodeRow, encodingBlockSize } from '@kvasir/quant';
import { fcParameters } from '@kvasir/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeRow as decodeNatively, linear } from '../src/testing.js';

const ENCODINGS = { ...DENSE_ENCODINGS, ...BLOCK_ENCODINGS };
const names = Object.keys(ENCODINGS) as (keyof typeof ENCODINGS)[];
const isas = createCpuBackend().deviceInfo.kernelPaths.map((name) => name.replace(/-vnni.*/, '') as 'scalar');

const numbers = (length: number) =>
  fc
    .array(fc.double({ min: -4, max: 4, noNaN: true }), { minLength: length, maxLength: length })
    .map(Float32Array.from.bind(Float32Array));

describe.each(names)('native kernels on %s', (name) => {
  const encoding = ENCODINGS[name];
  const size = encodingBlockSize(encoding);
  const rows = fc.integer({ min: 1, max: Math.max(2, 512 / size) });

  it('decode a row to the bits of the reference decoder', () => {
    fc.assert(
      fc.property(
        rows.chain((blocks) => numbers(blocks * size)),
        (values) => {
          const bytes = encodeRow(encoding, values);
          const ours = decodeNatively(encoding, bytes, values.length);
          expect(ours).toEqual(Float32Array.from(decodeRow(encoding, bytes, values.length)));
        },
      ),
      fcParameters(30),
    );
  });

  it('multiply in float32 as double precision does, to rounding, on every path', () => {
    const shape = fc.record({
      m: fc.integer({ min: 1, max: 5 }),
      n: fc.integer({ min: 1, max: 40 }),
      blocks: fc.integer({ min: 1, max: Math.max(2, 96 / size) }),
    });
    fc.assert(
      fc.property(
        shape.chain(({ m, n, blocks }) =>
          fc.tuple(
            fc.constant({ m, n, k: blocks * size }),
            fc.infiniteStream(fc.double({ min: -2, max: 2, noNaN: true })),
          ),
        ),
        ([{ m, n, k }, stream]) => {
          const next = (length: number) => Float32Array.from({ length }, () => stream.next().value);
          const weightRows = Array.from({ length: n }, () => encodeRow(encoding, next(k)));
          const weights = Uint8Array.from(weightRows.flatMap((row) => [...row]));
          const decoded = weightRows.map((row) => decodeRow(encoding, row, k));
          const x = next(m * k);
          const results = isas.map((isa) => linear({ n, k, encoding, weights, x, mode: 'float32', isa }));
          for (const result of results) expect(result).toEqual(results[0]);
          for (let row = 0; row < m; row++) {
            for (let column = 0; column < n; column++) {
              let sum = 0;
              let size = 0;
              for (let i = 0; i < k; i++) {
                const term = x[row * k + i]! * decoded[column]![i]!;
                sum += term;
                size += Math.abs(term);
              }
              // k roundings of partial sums, each within half an ulp of at most `size`.
              expect(Math.abs(results[0]![row * n + column]! - sum)).toBeLessThanOrEqual(k * 2 ** -24 * size + 1e-30);
            }
          }
        },
      ),
      fcParameters(10),
    );
  });
});
