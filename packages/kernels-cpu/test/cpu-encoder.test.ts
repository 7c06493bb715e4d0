import { type EncodeBatch, type EncoderProgram, InvalidArgumentError, type Op } from '@kvasir/interfaces';
import { createCpuBackend } from '@kvasir/kernels-cpu';
import { createTinyEncoder } from '@kvasir/testing';
import { afterAll, describe, expect, it } from 'vitest';

const model = createTinyEncoder({
  numLayers: 1,
  numHeads: 2,
  headDim: 16,
  intermediateSize: 64,
  vocabSize: 20,
  maxPositions: 12,
  activation: 'gelu',
  pooling: 'mean',
  normalize: true,
  encoding: 'f32',
  seed: 1,
});
afterAll(() => model[Symbol.dispose]());
const { program } = model;
const OPTIONS = { program, mode: 'float32', maxTokensPerBatch: 24, maxSequencesPerBatch: 3 } as const;

const batchOf = (...lists: readonly number[][]): EncodeBatch => ({
  tokenIds: Int32Array.from(lists.flat()),
  lengths: Int32Array.from(lists, ({ length }) => length),
});

describe('an encoder session', () => {
  it('says what it holds, by the plan that needs no weights', async () => {
    const backend = createCpuBackend();
    const plan = backend.planEncoder(OPTIONS);
    // The embeddings stay in the file; keys and values of a batch are part of the scratch.
    expect(plan.mappedBytes).toBe(4 * 32 * (20 + 2 + 12));
    expect(plan.weightBytes).toBeGreaterThan(4 * (4 * 32 * 32 + 2 * 32 * 64));
    expect(backend.planEncoder({ ...OPTIONS, maxTokensPerBatch: 2400 }).scratchBytes).toBeGreaterThan(
      plan.scratchBytes + 2000 * 4 * 2 * 32,
    );
    await using session = await backend.openEncoder(OPTIONS);
    expect(session.info).toMatchObject({ plan, device: { backend: 'cpu' } });
    expect(session.width).toBe(32);
  });

  it('runs calls in their order, waits for them when it closes, and then refuses', async () => {
    const session = await createCpuBackend({ numThreads: 2 }).openEncoder(OPTIONS);
    const order: number[] = [];
    const running = [[1, 2, 3], [4], [5, 6]].map((list, i) =>
      session.encode(batchOf(list)).then((vectors) => {
        order.push(i);
        return vectors;
      }),
    );
    await session.close();
    expect(order).toEqual([0, 1, 2]);
    for (const vectors of await Promise.all(running)) expect(Math.hypot(...vectors)).toBeCloseTo(1, 5);
    await expect(session.encode(batchOf([1]))).rejects.toMatchObject({ code: 'ERR_SESSION_CLOSED' });
    await session.close();
  });

  it.each([
    [batchOf(), 'got 0 sequences, expected from 1 to 3'],
    [batchOf([1], [1], [1], [1]), 'got 4 sequences'],
    [batchOf(new Array(13).fill(1)), 'got 13 tokens in sequence 0, expected from 1 to 12'],
    [batchOf([1], []), 'got 0 tokens in sequence 1'],
    [batchOf(...[9, 9, 9].map((length) => new Array(length).fill(1))), 'got 27 tokens, expected from 1 to 24'],
    [batchOf([20]), 'token 0 has id 20, expected one from 0 to 19'],
    [{ tokenIds: Int32Array.of(1, 2, 3), lengths: Int32Array.of(2) }, 'the lengths add up to 2'],
  ])('refuses a batch that it was not made for, and goes on', async (batch, message) => {
    await using session = await createCpuBackend().openEncoder(OPTIONS);
    const failure = expect(session.encode(batch)).rejects;
    await failure.toMatchObject({ code: 'ERR_INVALID_BATCH', message: expect.stringContaining(message) });
    expect((await session.encode(batchOf([3, 4]))).length).toBe(32);
  });

  it('keeps the event loop free while it computes', async () => {
    await using session = await createCpuBackend({ numThreads: 1 }).openEncoder(OPTIONS);
    let numTurns = 0;
    const timer = setInterval(() => numTurns++, 0);
    for (let i = 0; i < 50; i++) await session.encode(batchOf([1, 2, 3], [4, 5], [6]));
    await new Promise((resolve) => setTimeout(resolve, 5));
    clearInterval(timer);
    expect(numTurns).toBeGreaterThan(0);
  });

  it('refuses programs that it does not build, naming the op', () => {
    const plan = (changed: Partial<EncoderProgram>) =>
      createCpuBackend().planEncoder({ ...OPTIONS, program: { ...program, ...changed } });
    const at = (kind: Op['op']) => program.ops.findIndex(({ op }) => op === kind);
    const replaced = (kind: Op['op'], change: object) =>
      program.ops.map((op, i) => (i === at(kind) ? ({ ...op, ...change } as Op) : op));
    expect(() => plan({ kind: 'decoder' } as object)).toThrow(InvalidArgumentError);
    expect(() => plan({ ops: [...program.ops, { op: 'allReduce', value: program.output }] })).toThrow(/allReduce/);
    expect(() =>
      plan({ ops: [...program.ops, { op: 'gatherOutputs', input: program.output, out: program.output }] }),
    ).toThrow(/gatherOutputs\) has no place in an encoder/);
    expect(() => plan({ ops: replaced('bidirectionalAttention', { numHeads: 5 }) })).toThrow(/modulo numHeads is 2/);
    expect(() => plan({ maxPositions: 13 })).toThrow(/rows of its weight is 12, expected 13/);
    expect(() => plan({ ops: program.ops.filter(({ op }) => op !== 'pool') })).toThrow(/output is value/);
    expect(() => plan({ ops: program.ops.toReversed() })).toThrow(/before any op wrote it/);
  });

  it('gives up opening when it is told to', async () => {
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(createCpuBackend().openEncoder(OPTIONS, { signal })).rejects.toThrow('enough');
    const missing = { ...program, files: [{ path: '/gone', sizeBytes: program.files[0]!.sizeBytes }] };
    await expect(createCpuBackend().openEncoder({ ...OPTIONS, program: missing })).rejects.toThrow(/gone/);
  });

  it('has another numericsId for another mode', async () => {
    await using a = await createCpuBackend().openEncoder(OPTIONS);
    await using b = await createCpuBackend().openEncoder({ ...OPTIONS, mode: 'auto' });
    await using c = await createCpuBackend({ numThreads: 1 }).openEncoder({ ...OPTIONS, maxTokensPerBatch: 30 });
    expect(a.info.numericsId).not.toBe(b.info.numericsId);
    expect(a.info.numericsId).toBe(c.info.numericsId);
  });
});
