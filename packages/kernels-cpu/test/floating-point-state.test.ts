import { closeSync, openSync, writeSync } from 'node:fs';
import { createCpuBackend } from '@kvasir/kernels-cpu';
import { createTinyModel, StepBuilder } from '@kvasir/testing';
import { expect, it } from 'vitest';
import { PLAIN_SPEC, TINY_OPTIONS } from './support/tiny-session.js';

// Every number that follows from such an embedding is subnormal. With the state that compute threads must have all of them are 0, so the
// lowest ids win a tie; a thread that keeps subnormals finds a largest one among its logits.
it.each([1, 2, 4])('subnormals are flushed on each of %i compute threads', async (numThreads) => {
  using model = createTinyModel({ ...PLAIN_SPEC, family: 'llama', window: undefined, tied: false, encoding: 'f32' });
  const { program } = model;
  const embed = program.ops.find((op) => op.op === 'embed')!;
  const [part] = program.weights[embed.weight]!.parts;
  const file = openSync(program.files[part!.file]!.path, 'r+');
  const subnormals = Int32Array.from({ length: part!.length / 4 }, (_, i) => ((i * 7) % 11) + 1);
  writeSync(file, new Uint8Array(subnormals.buffer), 0, part!.length, part!.offset);
  closeSync(file);

  const options = { ...TINY_OPTIONS, programs: [program], mode: 'float32', numThreads } as const;
  const session = await createCpuBackend().openSession(options);
  try {
    const history = Array.from({ length: 40 }, (_, i) => i);
    const step = new StepBuilder(1).init({ slot: 0, history, maxLength: 64, ignoreEos: true });
    step.table(0, 0, 0, [1, 2, 3]).row(0, history.length);
    step.output(history.length - 1, { topK: 4 });
    const { outputs, topIds } = await session.step(step.build());
    expect(outputs[0]).toBe(0);
    expect([...topIds]).toEqual([0, 1, 2, 3]);
  } finally {
    await session.close();
  }
});
