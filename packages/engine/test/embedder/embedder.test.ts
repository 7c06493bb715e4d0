import { setImmediate as nextTurn } from 'node:timers/promises';
import { createFakeBackend, createFakeEncoderProgram } from '@kvasir/testing';
import { describe, expect, test } from 'vitest';
import { Embedder, type EmbedderLoadOptions } from '../../src/index.js';
import { BatchGate, CLS, idsOf, SEP, startEmbedder, vectorOf, WIDTH } from '../support/embedders.js';

const turns = async (count = 4) => {
  for (let i = 0; i < count; i++) await nextTurn();
};

describe('embed', () => {
  test('gives a vector an input, in order, special tokens around texts', async () => {
    await using embedder = await startEmbedder();
    const { vectors, numTokens } = await embedder.embed(['abc', '', 'b']);
    expect(vectors).toEqual([vectorOf([CLS, 0, 1, 2, SEP]), vectorOf([CLS, SEP]), vectorOf(idsOf('b'))]);
    expect(numTokens).toEqual([5, 2, 3]);
  });

  test('takes one text, one list of token ids, or a mixture', async () => {
    await using embedder = await startEmbedder();
    expect((await embedder.embed('ab')).vectors).toEqual([vectorOf(idsOf('ab'))]);
    expect((await embedder.embed([3, 4])).vectors).toEqual([vectorOf([3, 4])]);
    expect((await embedder.embed(Int32Array.of(3, 4))).vectors).toEqual([vectorOf([3, 4])]);
    expect((await embedder.embed(['ab', [5]])).vectors).toEqual([vectorOf(idsOf('ab')), vectorOf([5])]);
  });

  test('refuses what is too long with its numbers, or cuts it and keeps the special tokens', async () => {
    await using embedder = await startEmbedder();
    await expect(embedder.embed(['a', 'abcdefgh'])).rejects.toMatchObject({
      ...{ code: 'ERR_INPUT_TOO_LONG', index: 1, numTokens: 10, maxModelLen: 8 },
      message: 'input 1 has 10 tokens, expected at most 8: shorten it or have it truncated',
    });
    const cut = await embedder.embed('abcdefgh', { truncate: true });
    expect(cut.vectors).toEqual([vectorOf(idsOf('abcdef'))]);
    expect(cut.numTokens).toEqual([8]);
    expect((await embedder.embed('abcdefgh', { truncate: 4 })).vectors).toEqual([vectorOf(idsOf('ab'))]);
    expect((await embedder.embed('ab', { truncate: 4 })).vectors).toEqual([vectorOf(idsOf('ab'))]);
    expect((await embedder.embed([1, 2, 3], { truncate: 2 })).vectors).toEqual([vectorOf([1, 2])]);
    expect(embedder.tokenize('abc', 1)).toEqual(Int32Array.of(CLS));
    expect(embedder.tokenize('abc', 2)).toEqual(Int32Array.of(CLS, SEP));
    expect(embedder.tokenize('abc', 3)).toEqual(Int32Array.of(CLS, 0, SEP));
  });

  test('cuts vectors and gives them length 1 again', async () => {
    await using embedder = await startEmbedder();
    const [cut] = (await embedder.embed('abc', { dimensions: 3 })).vectors;
    const whole = vectorOf(idsOf('abc')).slice(0, 3);
    const norm = Math.hypot(...whole);
    expect(Math.hypot(...cut!)).toBeCloseTo(1, 6);
    for (const [i, value] of cut!.entries()) expect(value).toBeCloseTo(whole[i]! / norm, 6);
    expect((await embedder.embed('abc', { dimensions: WIDTH })).vectors).toEqual([vectorOf(idsOf('abc'))]);
    await using raw = await startEmbedder({ normalize: false });
    expect((await raw.embed('abc', { dimensions: 3 })).vectors).toEqual([vectorOf(idsOf('abc'), false).slice(0, 3)]);
  });

  test.each([
    [{ dimensions: 9 }, /dimensions is 9: expected an integer from 1 to 8/],
    [{ dimensions: 0 }, /dimensions is 0/],
    [{ truncate: 0 }, /truncate is 0/],
    [{ truncat: true } as object, /unknown call option truncat/],
  ])('refuses %o', async (options, message) => {
    await using embedder = await startEmbedder();
    await expect(embedder.embed('a', options)).rejects.toThrow(message);
  });

  test.each([
    [[], /no inputs/],
    [[[]], /inputs\[0\] has no tokens/],
    [[[1, 16]], /inputs\[0\] holds token 16: expected 0 to 15/],
    [[[1, 2.5]], /inputs\[0\]\[1\] is 2.5/],
  ])('refuses the inputs %o', async (inputs, message) => {
    await using embedder = await startEmbedder();
    await expect(embedder.embed(inputs as number[][])).rejects.toThrow(message);
    expect(embedder.stats().numInputs).toBe(0);
  });
});

describe('batches', () => {
  test('are packed from the inputs of many calls, in order, up to both limits', async () => {
    const gate = new BatchGate();
    await using embedder = await startEmbedder({ control: gate.control });
    const calls = [['abcd', 'abcd'], ['abc'], ['', 'a', '', 'abcdef'], ['ab']].map((inputs) => embedder.embed(inputs));
    await turns();
    expect(gate.sizes).toEqual([[6, 6]]);
    gate.open();
    await Promise.all(calls);
    expect(gate.sizes).toEqual([
      [6, 6],
      [5, 2, 3, 2],
      [8, 4],
    ]);
    expect(embedder.stats()).toMatchObject({
      ...{ numCalls: 4, numInputs: 8, promptTokens: 36, numBatches: 3, numRunning: 0, numWaiting: 0 },
      finished: { stop: 8, abort: 0, error: 0 },
    });
  });

  test('tell observers of batches and inputs', async () => {
    let now = 0;
    const gate = new BatchGate();
    const clock = { now: () => now, sleep: () => Promise.resolve() };
    await using embedder = await startEmbedder({ control: gate.control, clock });
    const seen: unknown[] = [];
    embedder.observe({ onBatch: (record) => seen.push(record), onEmbedded: (input) => seen.push(input) });
    const call = embedder.embed(['a', 'b'], { arrivalMs: -5 });
    await turns();
    now = 10;
    gate.open();
    await call;
    const input = { numTokens: 3, queueMs: 5, inferenceMs: 10, endToEndMs: 15 };
    expect(seen).toEqual([{ numSequences: 2, numTokens: 6, elapsedMs: 10 }, input, input]);
  });

  test('that fail end the calls in them and no others', async () => {
    const gate = new BatchGate();
    await using embedder = await startEmbedder({ control: gate.control });
    const [first, second, third] = [['abcdef', 'abcdef', 'a'], ['b'], ['c']].map((inputs) => embedder.embed(inputs));
    await turns();
    gate.shouldFail = true;
    gate.release();
    await expect(first).rejects.toMatchObject({
      ...{ code: 'ERR_BATCH_FAILED', numSequences: 2, numTokens: 16 },
      cause: { code: 'ERR_DEVICE' },
    });
    embedder.checkIntegrity();
    gate.shouldFail = false;
    gate.open();
    expect((await second!).vectors).toEqual([vectorOf(idsOf('b'))]);
    expect((await third!).vectors).toEqual([vectorOf(idsOf('c'))]);
    expect(embedder.stats()).toMatchObject({ numFailedBatches: 1, finished: { stop: 2, abort: 0, error: 3 } });
  });

  test('of a session that gives the wrong number of values fail', async () => {
    const control = { gate: async () => new Float32Array(3) };
    await using embedder = await startEmbedder({ control });
    await expect(embedder.embed('a')).rejects.toThrow(/another number of values/);
  });
});

describe('the queue', () => {
  test('is bounded, and says when to come back', async () => {
    const gate = new BatchGate();
    await using embedder = await startEmbedder({ control: gate.control, maxQueuedInputs: 3, maxSequencesPerBatch: 1 });
    const many = embedder.embed(['a', 'b', 'c', 'd']);
    await turns();
    await expect(embedder.embed('e')).rejects.toMatchObject({
      ...{ code: 'ERR_QUEUE_FULL', numQueued: 3, maxQueued: 3, retryAfterMs: 1000 },
      message: '3 inputs are waiting, at most 3 may: try again in 1000 ms or raise maxQueuedInputs',
    });
    expect(() => embedder.checkRoom(1)).toThrow(expect.objectContaining({ code: 'ERR_QUEUE_FULL' }));
    gate.open();
    expect((await many).vectors).toHaveLength(4);
    await embedder.embed('e');
    expect(embedder.stats().numInputs).toBe(5);
  });
});

describe('a signal', () => {
  test('ends a call that waits, and one that runs', async () => {
    const gate = new BatchGate();
    await using embedder = await startEmbedder({ control: gate.control, maxSequencesPerBatch: 1 });
    const [running, waiting] = [new AbortController(), new AbortController()];
    const calls = [
      embedder.embed(['a', 'b'], { signal: running.signal }),
      embedder.embed('c', { signal: waiting.signal }),
      embedder.embed('d'),
    ];
    await turns();
    running.abort(new Error('enough'));
    waiting.abort(new Error('never mind'));
    embedder.checkIntegrity();
    await expect(calls[0]).rejects.toThrow('enough');
    await expect(calls[1]).rejects.toThrow('never mind');
    gate.open();
    expect((await calls[2]!).vectors).toEqual([vectorOf(idsOf('d'))]);
    expect(gate.sizes).toEqual([[3], [3]]);
    expect(embedder.stats().finished).toEqual({ stop: 1, abort: 3, error: 0 });
  });

  test('that has fired already queues nothing', async () => {
    await using embedder = await startEmbedder();
    await expect(embedder.embed('a', { signal: AbortSignal.abort(new Error('no')) })).rejects.toThrow('no');
    expect(embedder.stats().numCalls).toBe(0);
  });
});

describe('close', () => {
  test('lets what was taken end, and takes no more', async () => {
    const gate = new BatchGate();
    const embedder = await startEmbedder({ control: gate.control, maxSequencesPerBatch: 1 });
    const calls = [embedder.embed('a'), embedder.embed('b')];
    await turns();
    const closed = embedder.close();
    await expect(embedder.embed('c')).rejects.toMatchObject({ code: 'ERR_ENGINE_CLOSED' });
    gate.open();
    expect((await Promise.all(calls)).map(({ vectors }) => vectors[0])).toEqual([
      vectorOf(idsOf('a')),
      vectorOf(idsOf('b')),
    ]);
    await closed;
  });

  test('with no time ends what waits and keeps what runs', async () => {
    const gate = new BatchGate();
    const embedder = await startEmbedder({ control: gate.control, maxSequencesPerBatch: 1 });
    const calls = [embedder.embed('a'), embedder.embed('b')];
    await turns();
    const closed = embedder.close({ drainTimeoutMs: 0 });
    await expect(calls[1]).rejects.toMatchObject({ code: 'ERR_ENGINE_CLOSED' });
    gate.open();
    expect((await calls[0]!).vectors).toHaveLength(1);
    await closed;
  });
});

describe('load', () => {
  const description = {
    ...{ name: 'fake-encoder', architecture: 'bert', format: 'safetensors', generation: {}, parameterCount: 0 },
    ...{ maxPositions: 32, weightBytes: 0, sizeBytes: 0, files: [], unusedTensors: [] },
    program: createFakeEncoderProgram({ maxPositions: 32 }),
    tokenizer: {
      ...{ kind: 'gguf-bpe', preTokenizer: 'gpt-2', vocabSize: 1, addBos: false, addEos: false },
      ...{ tokens: ['a'], tokenTypes: Int32Array.of(1), merges: [] },
    },
  } as unknown as Exclude<EmbedderLoadOptions['model'], string>;
  const load = (options: Partial<EmbedderLoadOptions>, weightBytes = 0) =>
    Embedder.load({ model: description, backend: createFakeBackend({ weightBytes }), ...options });

  test('settles limits from the model', async () => {
    await using embedder = await load({});
    expect(embedder.limits).toEqual({
      ...{ maxModelLen: 32, maxTokensPerBatch: 1024, maxSequencesPerBatch: 256, maxQueuedInputs: 8192 },
    });
    expect([embedder.name, embedder.width, embedder.isNormalized]).toEqual(['fake-encoder', 8, true]);
  });

  test.each([
    [{ maxModelLen: 33 }, /maxModelLen is 33: the model was made for 32 positions/],
    [{ maxTokensPerBatch: 31 }, /maxTokensPerBatch is 31 with inputs of up to 32 tokens/],
    [{ maxSequencesPerBatch: 0 }, /maxSequencesPerBatch is 0/],
    [{ maxQueuedInputs: 1.5 }, /maxQueuedInputs is 1.5/],
    [{ dtype: 'half' as 'auto' }, /dtype is half/],
    [{ maxTokens: 3 } as object, /unknown option maxTokens/],
  ])('refuses %o', async (options, message) => {
    await expect(load(options)).rejects.toThrow(message);
  });

  test('refuses a model that does not fit', async () => {
    await expect(load({ availableMemoryBytes: () => 1000 }, 5000)).rejects.toMatchObject({
      code: 'ERR_INSUFFICIENT_MEMORY',
      availableBytes: 1000,
    });
  });
});
