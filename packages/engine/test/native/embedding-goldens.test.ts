import type { EncodeBatch } from '@kvasir/interfaces';
import { createCpuBackend } from '@kvasir/kernels-cpu';
import { encoderProgram, openModel } from '@kvasir/model';
import { GOLDEN_EMBEDDING_TOLERANCE, readGoldenEmbeddings } from '@kvasir/testing';
import { describe, expect, it } from 'vitest';

const { texts, width } = readGoldenEmbeddings();
const LIMITS = { maxTokensPerBatch: 2048, maxSequencesPerBatch: texts.length } as const;

function batchOf(sequences: readonly (readonly number[])[]): EncodeBatch {
  return {
    tokenIds: Int32Array.from(sequences.flat()),
    lengths: Int32Array.from(sequences, ({ length }) => length),
  };
}

function cosine(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [dot, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    dot += a[i]! * b[i]!;
    aa += a[i]! * a[i]!;
    bb += b[i]! * b[i]!;
  }
  return dot / Math.sqrt(aa * bb);
}

const openMiniLm = async () => encoderProgram(await openModel(process.env['KVASIR_TEST_MINILM'] as string));

/** Vectors of all goldens in one batch. */
async function encodeAll(mode: 'auto' | 'float32', numThreads: number): Promise<Float32Array[]> {
  await using session = await createCpuBackend({ numThreads }).openEncoder({
    ...LIMITS,
    program: await openMiniLm(),
    mode,
  });
  const vectors = await session.encode(batchOf(texts.map(({ ids }) => ids)));
  return texts.map((_, i) => vectors.subarray(i * width, (i + 1) * width));
}

describe('MiniLM against sentence-transformers', () => {
  it('agrees in every number in float32', async () => {
    const vectors = await encodeAll('float32', 2);
    const worst = vectors.map((vector, i) => Math.max(...texts[i]!.vector.map((x, d) => Math.abs(x - vector[d]!))));
    expect(Math.max(...worst)).toBeLessThan(GOLDEN_EMBEDDING_TOLERANCE);
    expect(vectors.every((vector) => Math.abs(Math.hypot(...vector) - 1) < 1e-6)).toBe(true);
  });

  it('points the same way in auto', async () => {
    const vectors = await encodeAll('auto', 2);
    const cosines = vectors.map((vector, i) => cosine(vector, texts[i]!.vector));
    expect(Math.min(...cosines)).toBeGreaterThan(0.999);
  });

  it.each(['auto', 'float32'] as const)(
    'gives a text the same bits alone and with others, by one thread or two (%s)',
    async (mode) => {
      const together = await encodeAll(mode, 2);
      await using session = await createCpuBackend({ numThreads: 1 }).openEncoder({
        ...LIMITS,
        program: await openMiniLm(),
        mode,
      });
      for (const [i, { ids }] of texts.entries()) expect(await session.encode(batchOf([ids]))).toEqual(together[i]);
    },
  );
});
