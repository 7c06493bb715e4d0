import { fileURLToPath } from 'node:url';
import type { OfflineWork } from '../workload.js';
import type { OfflineEngine } from './engine.js';
import { LineWorker } from './line-worker.js';

/** Drives our own `LLM` in a process that stays loaded and idle between rounds. */
export class KvasirEngine implements OfflineEngine {
  readonly name = 'Kvasir';
  readonly version: string;
  readonly #worker: LineWorker;

  private constructor(worker: LineWorker, version: string) {
    this.#worker = worker;
    this.version = version;
  }

  static async open(modelPath: string, threads: number): Promise<KvasirEngine> {
    const script = fileURLToPath(new URL('./kvasir-worker.js', import.meta.url));
    const worker = new LineWorker(process.execPath, [script, modelPath, String(threads)]);
    const { version } = await worker.receive<{ version: string }>();
    return new KvasirEngine(worker, version);
  }

  async run(work: OfflineWork, round: number): Promise<number> {
    const { tokensPerSecond } = await this.#worker.ask<{ tokensPerSecond: number }>({ work, round });
    return tokensPerSecond;
  }

  close(): Promise<void> {
    return this.#worker.close();
  }
}
