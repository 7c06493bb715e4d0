import type { EncodeBatch, EncoderSession } from '@kvasir/interfaces';
import { describe, expect, it } from 'vitest';
import { createFakeBackend, createFakeEncoderProgram, fakeEmbedding } from '../src/index.js';

const program = createFakeEncoderProgram({ width: 4, maxPositions: 3 });
const OPTIONS = { program, mode: 'float32', maxTokensPerBatch: 5, maxSequencesPerBatch: 2 } as const;

const batchOf = (...sequences: readonly number[][]): EncodeBatch => ({
  tokenIds: Int32Array.from(sequences.flat()),
  lengths: Int32Array.from(sequences, ({ length }) => length),
});

describe('a fake encoder', () => {
  it('gives each sequence the vector of its tokens, whatever it is batched with', async () => {
    const session: EncoderSession = await createFakeBackend().openEncoder(OPTIONS);
    const together = await session.encode(batchOf([1, 2], [3]));
    expect(together.subarray(0, 4)).toEqual(await session.encode(batchOf([1, 2])));
    expect(together.subarray(4)).toEqual(fakeEmbedding(program, [3]));
    expect(Math.hypot(...together.subarray(0, 4))).toBeCloseTo(1, 6);
    expect(fakeEmbedding(program, [1, 2])).not.toEqual(fakeEmbedding(program, [2, 1]));
  });

  it.each([
    [batchOf(), 'got 0 sequences, expected from 1 to 2'],
    [batchOf([1], [1], [1]), 'got 3 sequences, expected from 1 to 2'],
    [batchOf([1, 1, 1, 1]), 'got 4 tokens in sequence 0, expected from 1 to 3'],
    [batchOf([1], []), 'got 0 tokens in sequence 1, expected from 1 to 3'],
    [batchOf([1, 1, 1], [1, 1, 1]), 'got 6 tokens, expected from 1 to 5'],
    [batchOf([1, 16]), 'token 1 has id 16, expected one from 0 to 15'],
    [{ tokenIds: Int32Array.of(1, 2), lengths: Int32Array.of(1) }, 'the lengths add up to 1'],
  ])('refuses a batch that its session was not made for', async (batch, message) => {
    const session = await createFakeBackend().openEncoder(OPTIONS);
    const failure = expect(session.encode(batch)).rejects;
    await failure.toMatchObject({ code: 'ERR_INVALID_BATCH', message: expect.stringContaining(message) });
  });

  it('runs batches in order, fails as asked, and waits for them when it closes', async () => {
    const seen: number[] = [];
    const onBatch = ({ tokenIds }: EncodeBatch) => seen.push(tokenIds[0]!);
    const session = await createFakeBackend({
      encoders: { onBatch, fails: ({ tokenIds }) => tokenIds[0] === 2 },
    }).openEncoder(OPTIONS);
    const outcomes = Promise.allSettled([1, 2, 3].map((id) => session.encode(batchOf([id]))));
    await session.close();
    expect(seen).toEqual([1, 2, 3]);
    expect((await outcomes).map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    await expect(session.encode(batchOf([1]))).rejects.toMatchObject({ code: 'ERR_SESSION_CLOSED' });
  });
});
