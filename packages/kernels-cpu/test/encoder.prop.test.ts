import type { Backend, EncodeBatch, EncoderSession } from '@kvasir/interfaces';
import { type CpuIsa, createCpuBackend } from '@kvasir/kernels-cpu';
import { createReferenceBackend } from '@kvasir/kernels-cpu/reference';
import { decodeRow } from '@kvasir/quant';
import { createTinyEncoder, expectReached, fcParameters, type TinyEncoder, tinyEncoderSpec } from '@kvasir/testing';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { loadAddon } from '../src/addon.js';

const LIMITS = { maxTokensPerBatch: 900, maxSequencesPerBatch: 6 } as const;
const ISAS: readonly CpuIsa[] = loadAddon().cpuInfo().isas;

/** Sequences of any length up to beyond a partition of 256 tokens. */
const sequences = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.array(fc.nat({ max: 1000 }), { minLength: 1, maxLength: 40 }) },
    { weight: 1, arbitrary: fc.array(fc.nat({ max: 1000 }), { minLength: 250, maxLength: 290, size: 'max' }) },
  ),
  { minLength: 1, maxLength: 3 },
);

function batchOf(lists: readonly (readonly number[])[], vocabSize: number): EncodeBatch {
  return {
    tokenIds: Int32Array.from(lists.flat(), (number) => number % vocabSize),
    lengths: Int32Array.from(lists, ({ length }) => length),
  };
}

async function encode(
  backend: Backend,
  { program }: TinyEncoder,
  mode: 'auto' | 'float32',
  batches: readonly EncodeBatch[],
): Promise<Float32Array[]> {
  const session: EncoderSession = await backend.openEncoder({ ...LIMITS, program, mode });
  try {
    return await Promise.all(batches.map((batch) => session.encode(batch)));
  } finally {
    await session.close();
  }
}

// Vectors are of length about 1 to 10; 24-bit sums over a few hundred terms.
it('float32 agrees with the reference in double precision on any tiny encoder', async () => {
  const reference = createReferenceBackend({ decodeWeight: decodeRow });
  const reached = { partitions: 0, normalized: 0 };
  await fc.assert(
    fc.asyncProperty(tinyEncoderSpec({ numLayers: 1 }), sequences, async (spec, lists) => {
      using model = createTinyEncoder(spec);
      const batch = batchOf(lists, spec.vocabSize);
      const [ours] = await encode(createCpuBackend({ numThreads: 2 }), model, 'float32', [batch]);
      const [theirs] = await encode(reference, model, 'float32', [batch]);
      const worst = theirs!.reduce((most, x, i) => Math.max(most, Math.abs(x - ours![i]!)), 0);
      expect(worst).toBeLessThan(1e-4);
      reached.partitions += Number(lists.some(({ length }) => length > 256));
      reached.normalized += Number(spec.normalize);
    }),
    fcParameters(25),
  );
  expectReached(reached, { partitions: 0.05, normalized: 0.2 }, 25);
}, 60_000);

it('a sequence has the same bits alone and in company, in any order, by any number of threads', async () => {
  await fc.assert(
    fc.asyncProperty(
      tinyEncoderSpec(),
      sequences,
      fc.constantFrom<'auto' | 'float32'>('auto', 'float32'),
      async (spec, lists, mode) => {
        using model = createTinyEncoder(spec);
        const together = batchOf(lists, spec.vocabSize);
        const reversed = batchOf(lists.toReversed(), spec.vocabSize);
        const alone = lists.map((list) => batchOf([list], spec.vocabSize));
        const [all, turned] = await encode(createCpuBackend({ numThreads: 3 }), model, mode, [together, reversed]);
        const single = await encode(createCpuBackend({ numThreads: 1 }), model, mode, alone);
        const width = model.program.hiddenSize;
        const at = (vectors: Float32Array, i: number) => vectors.subarray(i * width, (i + 1) * width);
        for (const [i, vector] of single.entries()) {
          expect(at(all!, i)).toEqual(vector);
          expect(at(turned!, lists.length - 1 - i)).toEqual(vector);
        }
      },
    ),
    fcParameters(25),
  );
}, 60_000);

it('float32 has the same bits on every path', async () => {
  await fc.assert(
    fc.asyncProperty(tinyEncoderSpec(), sequences, async (spec, lists) => {
      using model = createTinyEncoder(spec);
      const batch = [batchOf(lists, spec.vocabSize)];
      const found = await Promise.all(ISAS.map((isa) => encode(createCpuBackend({ isa }), model, 'float32', batch)));
      for (const other of found) expect(other).toEqual(found[0]);
    }),
    fcParameters(15),
  );
}, 60_000);
