import { fork } from 'node:child_process';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { createTinyModel, StepBuilder } from '@kvasir/testing';
import { afterAll, describe, expect, it } from 'vitest';
import { describeSession } from '../src/native/describe-session.js';
import { PLAIN_SPEC, TINY_OPTIONS } from './support/tiny-session.js';

const HOST = new URL('./support/native-host.mjs', import.meta.url);
const model = createTinyModel(PLAIN_SPEC);
afterAll(() => model[Symbol.dispose]());

const description = describeSession(
  { ...TINY_OPTIONS, programs: [model.program] },
  { isa: 'scalar', hasBf16: false, numThreads: 2, kvCacheDtype: 'float32', trace: false, spreadThreads: true },
);
const batches = Array.from({ length: 6 }, (_, i) => {
  const step = new StepBuilder(i + 1);
  if (i > 0) return step.sampleRow(0, 1).build().words;
  const history = Array.from({ length: 90 }, (_, token) => token % 50);
  step.init({ slot: 0, history, maxLength: 120, ignoreEos: true });
  return step.table(0, 0, 0, [1, 2, 3, 4, 5, 6, 7]).table(0, 1, 0, [8, 9, 10, 11, 12, 13, 14]).sampleRow(0, 90).build()
    .words;
});

async function inWorker(ending: string): Promise<{ words: number[]; exitCode: number }> {
  const worker = new Worker(HOST, { workerData: { description, batches, ending } });
  // An error that is thrown on purpose reaches 'error' before 'exit'; without a listener it would be ours.
  worker.on('error', () => undefined);
  const exited = new Promise<number>((resolve) => worker.once('exit', resolve));
  const words = await new Promise<number[]>((resolve) => worker.once('message', resolve));
  if (ending === 'terminate') await worker.terminate();
  return { words, exitCode: await exited };
}

async function inProcess(ending: string): Promise<{ words: number[]; exitCode: number | null }> {
  const child = fork(HOST, { serialization: 'advanced', silent: true });
  const exited = once(child, 'exit');
  child.send({ description, batches, ending });
  const [words] = (await once(child, 'message')) as [number[]];
  if (ending === 'wait') child.disconnect();
  return { words, exitCode: ((await exited) as [number | null])[0] };
}

describe('sessions in many environments', () => {
  it('say the same in workers side by side, and each ends by itself', async () => {
    const results = await Promise.all(['wait', 'wait', 'wait'].map(inWorker));
    expect(results[0]!.words).toHaveLength(6);
    for (const { words, exitCode } of results) {
      expect(words).toEqual(results[0]!.words);
      expect(exitCode).toBe(0);
    }
  });

  it.each([
    ['terminate', 1],
    ['throw', 1],
    ['exit', 0],
    ['close', 0],
  ])('a worker may %s while a step is out', async (ending, exitCode) => {
    for (let i = 0; i < 3; i++) {
      const result = await inWorker(ending);
      expect(result.words).toHaveLength(5);
      expect(result.exitCode).toBe(exitCode);
    }
  });

  it('a process ends by itself after close, and at once by exit() while a step is out', async () => {
    expect(await inProcess('wait')).toMatchObject({ exitCode: 0, words: { length: 6 } });
    expect(await inProcess('exit')).toMatchObject({ exitCode: 0, words: { length: 5 } });
  });
});
