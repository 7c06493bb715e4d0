import { fileURLToPath } from 'node:url';
import type { OfflineWork } from '../workload.js';
import { randomPrompts } from '../workload.js';
import type { OfflineEngine } from './engine.js';
import { LineWorker } from './line-worker.js';

/** Environment that vLLM on CPU needs here. */
export function vllmEnvironment(threads: number): NodeJS.ProcessEnv {
  return {
    ...process.env,
    VLLM_CPU_KVCACHE_SPACE: '2',
    HF_HUB_OFFLINE: '1',
    OMP_NUM_THREADS: String(threads),
    VLLM_LOGGING_LEVEL: 'ERROR',
  };
}

/** Drives vLLM's offline `LLM` in a Python process that stays loaded and idle between rounds. */
export class VllmEngine implements OfflineEngine {
  readonly name = 'vLLM';
  readonly version: string;
  readonly #worker: LineWorker;

  private constructor(worker: LineWorker, version: string) {
    this.#worker = worker;
    this.version = version;
  }

  static async open(python: string, modelFolder: string, threads: number): Promise<VllmEngine> {
    const script = fileURLToPath(new URL('../src/peers/vllm_worker.py', import.meta.url));
    const worker = new LineWorker(python, [script, modelFolder], vllmEnvironment(threads));
    const { version } = await worker.receive<{ version: string }>();
    return new VllmEngine(worker, version);
  }

  async run(work: OfflineWork, round: number): Promise<number> {
    const prompts =
      work.kind === 'prefill'
        ? randomPrompts(1, work.tokens, 100 + round)
        : randomPrompts(work.batch, work.promptTokens, 100 + round);
    const tokens = work.kind === 'prefill' ? 1 : work.tokens;
    const { seconds, firstSeconds } = await this.#worker.ask<{ seconds: number; firstSeconds: number }>({
      prompts,
      tokens,
    });
    return work.kind === 'prefill'
      ? work.tokens / firstSeconds
      : (work.batch * (work.tokens - 1)) / (seconds - firstSeconds);
  }

  close(): Promise<void> {
    return this.#worker.close();
  }
}
