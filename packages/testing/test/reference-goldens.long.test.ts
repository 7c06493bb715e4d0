import { RESULT_FIELD, RESULT_WORDS } from '@kvasir/interfaces';
import { createReferenceBackend } from '@kvasir/kernels-cpu/reference';
import { decoderProgram, openModel } from '@kvasir/model';
import { decodeRow } from '@kvasir/quant';
import { describe, expect, it } from 'vitest';
import { GOLDEN_TOLERANCE, type GoldenModel, readGoldens, StepBuilder } from '../src/index.js';

const FILES: Readonly<Record<GoldenModel, string | undefined>> = {
  smollm2: process.env['KVASIR_TEST_SMOLLM2'],
  gemma3: process.env['KVASIR_TEST_GEMMA3'],
};

/** Programs and the interpreter against transformers, with no native code involved. Slow: scalar JavaScript. */
describe.each(['smollm2', 'gemma3'] as const)('the reference backend on %s', (name) => {
  it('agrees with the golden log-probabilities', async () => {
    const program = decoderProgram(await openModel(FILES[name] as string));
    const { ids, logprobs } = readGoldens(name).score.reduce((a, b) => (b.ids.length < a.ids.length ? b : a));
    const blockSize = 16;
    const numBlocks = Math.ceil(ids.length / blockSize);
    const session = await createReferenceBackend({ decodeWeight: decodeRow }).openSession({
      programs: [program],
      mode: 'float32',
      kvCacheDtype: 'float32',
      blockSize,
      numBlocks: 1 + numBlocks * program.kvGroups.length,
      maxSlots: 1,
      maxModelLen: 256,
      maxTokensPerStep: 256,
      maxOutputsPerStep: 256,
      maxTopLogprobs: 0,
      maxInFlight: 1,
      eosTokenIds: [],
    });
    const step = new StepBuilder(1).init({ slot: 0, history: ids, maxLength: ids.length + 1 });
    program.kvGroups.forEach((_, group) => {
      step.table(
        0,
        group,
        0,
        Array.from({ length: numBlocks }, (_each, i) => 1 + group * numBlocks + i),
      );
    });
    step.row(0, ids.length);
    for (let i = 0; i < ids.length - 1; i++) step.output(i, { kind: 'logprob', targetId: ids[i + 1]!, topK: 0 });
    const { outputs } = await session.step(step.build());
    const floats = new Float32Array(outputs.buffer);
    const errors = logprobs.map((logprob, i) => Math.abs(logprob - floats[i * RESULT_WORDS + RESULT_FIELD.logprob]!));
    expect(errors).toHaveLength(ids.length - 1);
    expect(Math.max(...errors)).toBeLessThan(GOLDEN_TOLERANCE);
    await session.close();
  }, 600_000);
});
