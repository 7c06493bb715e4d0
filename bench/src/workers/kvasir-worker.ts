// usage: kvasir-worker.js MODEL_PATH SETTINGS     answers each JSON line {work, round} with {tokensPerSecond, steps}
import { createInterface } from 'node:readline';
import { LLM } from '@kvasir/engine';
import type { Backend } from '@kvasir/interfaces';
import { type CpuSession, createCpuBackend } from '@kvasir/kernels-cpu';
import type { KvasirSettings } from '../peers/kvasir.js';
import { type OfflineWork, randomPrompts } from '../workload.js';
import { StepWatch } from './step-times.js';

/** Output tokens of any work, and some room. */
const MAX_OUTPUT = 256;

async function main(): Promise<void> {
  const [modelPath, text] = process.argv.slice(2) as [string, string];
  const settings = JSON.parse(text) as KvasirSettings;
  const { threads, maxInFlight, kvCacheDtype, maxContext, maxBatch, traceOps } = settings;
  const backend = createCpuBackend({ numThreads: threads, traceOps: traceOps ?? false });
  let session: CpuSession | undefined;
  const kept: Backend = {
    specificationVersion: 1,
    deviceInfo: backend.deviceInfo,
    planSession: (options) => backend.planSession(options),
    planEncoder: (options) => backend.planEncoder(options),
    openEncoder: (options) => backend.openEncoder(options),
    openSession: async (options, control) => {
      session = await backend.openSession(options, control);
      return session;
    },
  };
  const llm = await LLM.load({
    model: modelPath,
    backend: kept,
    numThreads: threads,
    maxModelLen: Math.max(1024, maxContext + MAX_OUTPUT),
    maxNumSeqs: maxBatch,
    maxInFlight,
    kvCacheDtype,
    enablePrefixCaching: false,
  });
  const watch = new StepWatch(llm, session as CpuSession, traceOps ?? false);
  answer({ version: `workspace (${llm.device.kernelPath}, ${threads} threads)` });
  for await (const line of createInterface({ input: process.stdin })) {
    const { work, round } = JSON.parse(line) as { work: OfflineWork; round: number };
    if (work.kind === 'prefill') answer({ tokensPerSecond: await prefill(llm, work.tokens, round) });
    else {
      const tokensPerSecond = await decode(llm, work, round, () => watch.start());
      answer({ tokensPerSecond, steps: watch.stop() });
    }
  }
  await llm.close();
}

async function prefill(llm: LLM, tokens: number, round: number): Promise<number> {
  const [prompt] = randomPrompts(1, tokens, 100 + round) as [number[]];
  const started = performance.now();
  await llm.generate([prompt], { maxTokens: 1, temperature: 0 });
  return tokens / ((performance.now() - started) / 1000);
}

/**
 * Tokens per second from the moment every sequence has its first token to the end of the last.
 * @param onAllStarted - Called at that moment.
 */
async function decode(
  llm: LLM,
  work: Extract<OfflineWork, { kind: 'decode' }>,
  round: number,
  onAllStarted: () => void,
): Promise<number> {
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
          onAllStarted();
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
