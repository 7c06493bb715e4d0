import { createCpuBackend } from '@kvasir/kernels-cpu';
import { expect, it } from 'vitest';
import { LLM } from '../../src/index.js';

/** Turns of the event loop while `work` is pending. */
async function countTurns(work: Promise<unknown>): Promise<number> {
  let turns = 0;
  let isPending = true;
  void work.finally(() => {
    isPending = false;
  });
  while (isPending) {
    await new Promise((resolve) => setImmediate(resolve));
    turns++;
  }
  await work;
  return turns;
}

it('the event loop keeps turning while weights are packed and while a long prompt is computed in one step', async () => {
  const loading = LLM.load({
    model: process.env['KVASIR_TEST_SMOLLM2'] as string,
    backend: createCpuBackend(),
    maxModelLen: 512,
    maxNumSeqs: 1,
  });
  expect(await countTurns(loading)).toBeGreaterThan(20);
  await using llm = await loading;
  const prompt = Array.from({ length: 500 }, (_, i) => 1000 + 7 * i);
  const turns = await countTurns(llm.generate([prompt], { maxTokens: 1, temperature: 0 }));
  // Were the step computed on the loop there would be a turn or two before it and after it.
  expect(turns).toBeGreaterThan(50);
  expect(llm.engine.stats().numSteps).toBeLessThanOrEqual(2);
}, 60_000);
