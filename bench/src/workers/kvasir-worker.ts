// usage: kvasir-worker.js MODEL_PATH THREADS     answers each JSON line {work, round} with {tokensPerSecond}
import { createInterface } from 'node:readline';
import { LLM } from '@kvasir/engine';
import { createCpuBackend } from '@kvasir/kernels-cpu';
import { type OfflineWork, randomPrompts } from '../workload.js';

const MAX_BATCH = 32;
const CONTEXT = 1024;

async function main(): Promise<void> {
  const [modelPath, threads] = process.argv.slice(2) as [string, string];
  const numThreads = Number(threads);
  const llm = await LLM.load({
    model: modelPath,
    backend: createCpuBackend({ numThreads }),
    numThreads,
    maxModelLen: CONTEXT,
    maxNumSeqs: MAX_BATCH,
    enablePrefixCaching: false,
  });
  const { kernelPath } = llm.device;
  answer({ version: `workspace (${kernelPath}, ${numThreads} threads)` });
  for await (const line of createInterface({ input: process.stdin })) {
    const { work, round } = JSON.parse(line) as { work: OfflineWork; round: number };
    answer({
      tokensPerSecond:
        work.kind === 'prefill' ? await prefill(llm, work.tokens, round) : await decode(llm, work, round),
    });
  }
  await llm.close();
}

async function prefill(llm: LLM, tokens: number, round: number): Promise<number> {
  const [prompt] = randomPrompts(1, tokens, 100 + round) as [number[]];
  const started = performance.now();
  await llm.generate([prompt], { maxTokens: 1, temperature: 0 });
  return tokens / ((performance.now() - started) / 1000);
}

/** Tokens per second from the moment every sequence has its first token to the end of the last. */
async function decode(llm: LLM, work: Extract<OfflineWork, { kind: 'decode' }>, round: number): Promise<number> {
  const prompts = randomPrompts(work.batch, work.promptTokens, 100 + round);
  let numStarted = 0;
  let allStartedAt = 0;
  let tokensAtStart = 0;
  let tokens = 0;
  await Promise.all(
    prompts.map(async (prompt) => {
      let own = 0;
      for await (const delta of llm.stream(prompt, { maxTokens: work.tokens, temperature: 0, ignoreEos: true })) {
        if (own === 0 && delta.tokenIds.length > 0) numStarted++;
        own += delta.tokenIds.length;
        tokens += delta.tokenIds.length;
        if (numStarted === prompts.length && allStartedAt === 0) {
          allStartedAt = performance.now();
          tokensAtStart = tokens;
        }
      }
    }),
  );
  return (tokens - tokensAtStart) / ((performance.now() - allStartedAt) / 1000);
}

function answer(value: unknown): void {
  process.stdout.write(`@${JSON.stringify(value)}\n`);
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
