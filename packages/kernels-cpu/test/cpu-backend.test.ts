import { truncateSync } from 'node:fs';
import { type DecoderProgram, InvalidArgumentError, KvasirError, UnsupportedError } from '@kvasir/interfaces';
import { type CpuSession, createCpuBackend } from '@kvasir/kernels-cpu';
import { createReferenceBackend } from '@kvasir/kernels-cpu/reference';
import { createTinyModel, StepBuilder } from '@kvasir/testing';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { PLAIN_SPEC, TINY_OPTIONS } from './support/tiny-session.js';

const model = createTinyModel(PLAIN_SPEC);
const OPTIONS = { ...TINY_OPTIONS, programs: [model.program] };
afterAll(() => model[Symbol.dispose]());

const firstStep = (stepId = 1) => {
  const step = new StepBuilder(stepId).init({ slot: 0, history: [2, 3, 4], maxLength: 100, ignoreEos: true });
  return step.table(0, 0, 0, [1, 2, 3, 4]).table(0, 1, 0, [5, 6, 7, 8]).sampleRow(0, 3);
};

describe('a backend', () => {
  it('names the machine and every path that it could take, the live one first', () => {
    const { deviceInfo } = createCpuBackend();
    expect(deviceInfo).toMatchObject({ backend: 'cpu', kernelPath: deviceInfo.kernelPaths[0] });
    expect(deviceInfo.kernelPaths.at(-1)).toBe('scalar');
    expect(deviceInfo.numThreads).toBeGreaterThan(0);
  });

  it('takes the path of the option, then of KVASIR_CPU_ISA', () => {
    expect(createCpuBackend({ isa: 'scalar' }).deviceInfo.kernelPath).toBe('scalar');
    vi.stubEnv('KVASIR_CPU_ISA', 'scalar');
    expect(createCpuBackend().deviceInfo.kernelPath).toBe('scalar');
    vi.stubEnv('KVASIR_CPU_ISA', 'sse9');
    expect(() => createCpuBackend()).toThrow(/KVASIR_CPU_ISA is 'sse9': this machine .* runs .*scalar/);
    vi.unstubAllEnvs();
  });

  it('refuses an option that does not exist', () => {
    expect(() => createCpuBackend({ threads: 2 } as object)).toThrow(/option 'threads' does not exist/);
  });

  it('refuses a thread placement that does not exist', () => {
    expect(() => createCpuBackend({ threadPlacement: 'pinned' as 'spread' })).toThrow(/expected spread or system/);
  });

  it.each([
    ['blockSize', 24, /multiple of 16/],
    ['blockSize', 0, /blockSize is 0/],
    ['numBlocks', 1, /numBlocks is 1/],
    ['maxSlots', 0.5, /whole number/],
    ['maxModelLen', 513, /maxModelLen is 513: expected a whole number from 1 to 512/],
    ['maxInFlight', 3, /maxInFlight is 3/],
    ['mode', 'int4', /expected one of auto, float32/],
    ['kvCacheDtype', 'int4', /expected one of auto, float32, float16, bfloat16, int8/],
    ['eosTokenIds', [50], /eosTokenIds is 50/],
  ])('refuses %s %s before it reads anything', (name, value, message) => {
    const open = () => createCpuBackend().planSession({ ...OPTIONS, [name]: value });
    expect(open).toThrow(InvalidArgumentError);
    expect(open).toThrow(message);
  });

  it('refuses programs that it does not build, by name', () => {
    const { program } = model;
    const plan = (changed: Partial<DecoderProgram>) =>
      createCpuBackend().planSession({ ...OPTIONS, programs: [{ ...program, ...changed }] });
    expect(() => plan({ kind: 'encoder' } as object)).toThrow(InvalidArgumentError);
    expect(() => plan({ ops: [...program.ops, { op: 'allReduce', value: program.logits }] })).toThrow(/allReduce/);
    const grouped = {
      ...program.weights[0]!,
      encoding: { kind: 'grouped', bits: 4, packOrder: 'gptq', groupSize: 128, scales: { dtype: 'f16' } } as const,
    };
    expect(() => plan({ weights: [grouped, ...program.weights.slice(1)] })).toThrow(/grouped gptq/);
    const taps = [{ name: 'layer.0', value: program.logits, afterOp: program.ops.length - 1 }];
    expect(() => plan({ taps })).toThrow(UnsupportedError);
    const reference = createReferenceBackend();
    expect(() => reference.planSession({ ...OPTIONS, programs: [{ ...program, taps }] })).toThrow(/taps layer\.0/);
  });

  it('refuses programs whose parts do not fit, naming the op', () => {
    const { program } = model;
    const plan = (changed: Partial<DecoderProgram>) =>
      createCpuBackend().planSession({ ...OPTIONS, programs: [{ ...program, ...changed }] });
    const values = program.values.map((value, i) => (i === 0 ? { ...value, width: 65 } : value));
    expect(() => plan({ values })).toThrow(/ops\[0\] \(embed\): width of its weight is 64, expected 65/);
    expect(() => plan({ ops: program.ops.slice(1) })).toThrow(/reads value 0 before any op wrote it/);
    expect(() => plan({ ops: program.ops.slice(0, -1) })).toThrow(/logits is value/);
    const weights = program.weights.map((weight, i) =>
      i === 0 ? { ...weight, parts: [{ ...weight.parts[0]!, offset: 1e9 }] } : weight,
    );
    expect(() => plan({ weights })).toThrow(/of a file of/);
  });

  it('plans at least what a session then holds', async () => {
    const backend = createCpuBackend();
    const plan = backend.planSession(OPTIONS);
    const session = await backend.openSession(OPTIONS);
    expect(session.info.plan).toEqual(plan);
    const held = session.memory();
    expect(held.weightBytes).toBeLessThanOrEqual(plan.weightBytes);
    expect(held.scratchBytes).toBeLessThanOrEqual(plan.scratchBytes);
    expect((await session.readBlock(0, 1)).length).toBe(plan.kvGroups[0]!.bytesPerBlock);
    await session.close();
  });
});

describe('opening a session', () => {
  it('reports progress up to the whole', async () => {
    const seen: number[] = [];
    const session = await createCpuBackend().openSession(OPTIONS, {
      onProgress: ({ loadedBytes, totalBytes }) => seen.push(loadedBytes / totalBytes),
    });
    expect(seen.at(-1)).toBe(1);
    await session.close();
  });

  it('is cancelled by its signal, with the reason of the signal', async () => {
    const reason = new Error('changed my mind');
    await expect(createCpuBackend().openSession(OPTIONS, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const controller = new AbortController();
    const opening = createCpuBackend().openSession(OPTIONS, { signal: controller.signal });
    controller.abort(reason);
    await expect(opening).rejects.toBe(reason);
  });

  it('says that a file was truncated, or is missing, instead of crashing', async () => {
    using damaged = createTinyModel(PLAIN_SPEC);
    const { path, sizeBytes } = damaged.program.files[0]!;
    truncateSync(path, sizeBytes - 1);
    const opening = createCpuBackend().openSession({ ...OPTIONS, programs: [damaged.program] });
    await expect(opening).rejects.toThrow(/has \d+ bytes, expected \d+: it was truncated/);
    const missing = { ...damaged.program, files: [{ path: `${path}.gone`, sizeBytes }] };
    await expect(createCpuBackend().openSession({ ...OPTIONS, programs: [missing] })).rejects.toThrow(/gone/);
  });

  it('names what decides bits: mode, KV type and path, not threads', async () => {
    const idOf = async (changed: object, isa?: 'scalar') => {
      const session = await createCpuBackend(isa === undefined ? {} : { isa }).openSession({ ...OPTIONS, ...changed });
      await session.close();
      return session.info.numericsId;
    };
    const id = await idOf({});
    expect(await idOf({ numThreads: 1, maxSlots: 2 })).toBe(id);
    const others = [
      await idOf({ mode: 'float32' }),
      await idOf({ kvCacheDtype: 'bfloat16' }),
      await idOf({ blockSize: 32 }),
      await idOf({}, 'scalar'),
    ];
    expect(new Set([id, ...others]).size).toBe(5);
  });
});

describe('a session', () => {
  const open = (changed: object = {}): Promise<CpuSession> =>
    createCpuBackend({ traceOps: true }).openSession({ ...OPTIONS, ...changed });

  it('refuses a step beyond maxInFlight, blocks while a step is out, and anything after close', async () => {
    const session = await open();
    const running = session.step(firstStep().build());
    await expect(session.step(new StepBuilder(2).sampleRow(0, 1).build())).rejects.toThrow(/expected fewer than 1/);
    await expect(session.readBlock(0, 1)).rejects.toThrow(/outstanding/);
    await running;
    await expect(session.readBlock(2, 1)).rejects.toThrow(/group is 2/);
    await expect(session.readBlock(0, 600)).rejects.toThrow(/block is 600/);
    await expect(session.writeBlock(0, 1, new Uint8Array(3))).rejects.toThrow(/a block of 3 bytes/);
    await session.close();
    await session.close();
    for (const call of [
      () => session.step(firstStep(2).build()),
      () => session.readBlock(0, 1),
      () => session.writeBlock(0, 1, new Uint8Array(1)),
    ]) {
      const error = await call().catch((reason: unknown) => reason);
      expect(KvasirError.isInstance(error, 'ERR_SESSION_CLOSED')).toBe(true);
    }
  });

  it('closes after the steps that are out', async () => {
    const session = await open({ maxInFlight: 2 });
    const steps = [session.step(firstStep().build()), session.step(new StepBuilder(2).sampleRow(0, 1).build())];
    const closing = session.close();
    expect((await Promise.all(steps)).map(({ stepId }) => stepId)).toEqual([1, 2]);
    await closing;
  });

  it('moves blocks to a session of the same numerics, which goes on as if nothing had happened', async () => {
    const source = await open();
    const target = await open();
    expect(target.info.numericsId).toBe(source.info.numericsId);
    const first = (await source.step(firstStep().build())).outputs[0]!;
    const expected = (await source.step(new StepBuilder(2).sampleRow(0, 1).build())).outputs[0]!;
    for (const [group, block] of [
      [0, 1],
      [1, 5],
    ] as const) {
      await target.writeBlock(group, block, await source.readBlock(group, block));
    }
    const resumed = new StepBuilder(1)
      .init({ slot: 0, history: [2, 3, 4, first], numComputed: 3, promptLength: 3, maxLength: 100, ignoreEos: true })
      .table(0, 0, 0, [1])
      .table(0, 1, 0, [5]);
    expect((await target.step(resumed.sampleRow(0, 1).build())).outputs[0]).toBe(expected);
    await source.close();
    await target.close();
  });

  it('runs several programs beside each other, each as if it were alone', async () => {
    using other = createTinyModel({
      ...PLAIN_SPEC,
      family: 'llama',
      numLayers: 1,
      window: undefined,
      vocabSize: 40,
      seed: 8,
    });
    const start = (step: StepBuilder, slot: number, program: number) => {
      step.init({ slot, program, history: [2, 3, 4], maxLength: 100, ignoreEos: true });
      step.table(slot, 0, 0, [1 + 10 * slot]);
      if (program === 0) step.table(slot, 1, 0, [2 + 10 * slot]);
      return step.sampleRow(slot, 3, [], { topK: 2 });
    };
    const both = { ...OPTIONS, programs: [model.program, other.program], eosTokenIds: [] };
    const session = await createCpuBackend().openSession(both);
    const step = start(start(start(new StepBuilder(1), 0, 1), 1, 0), 2, 1);
    const together = await session.step(step.build());
    const alone: number[] = [];
    for (const program of [other.program, model.program]) {
      const single = await createCpuBackend().openSession({ ...both, programs: [program] });
      const first = new StepBuilder(1).init({ slot: 0, history: [2, 3, 4], maxLength: 100, ignoreEos: true });
      program.kvGroups.forEach((_, group) => {
        first.table(0, group, 0, [1 + group]);
      });
      alone.push(...(await single.step(first.sampleRow(0, 3, [], { topK: 2 }).build())).outputs);
      await single.close();
    }
    expect([...together.outputs]).toEqual([...alone, ...alone.slice(0, 4)]);
    await session.close();
  });

  it('traces the time of steps by phase, and forgets it when asked', async () => {
    const session = await open();
    await session.step(firstStep().build());
    const labels = session.trace().map(({ label }) => label);
    expect(labels).toContain('attention');
    expect(labels).toContain('sample');
    expect(session.trace()).toEqual([]);
    await session.close();
  });

  it('holds a result until as many further steps were submitted as may be out', async () => {
    const session = await open({ maxInFlight: 2 });
    const first = await session.step(firstStep().build());
    const copy = Int32Array.from(first.outputs);
    await session.step(new StepBuilder(2).sampleRow(0, 1).build());
    await session.step(new StepBuilder(3).sampleRow(0, 1).build());
    expect(first.outputs).toEqual(copy);
    await session.close();
  });
});
