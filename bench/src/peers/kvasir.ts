import { fileURLToPath } from 'node:url';
import type { KvCacheDtype } from '@kvasir/interfaces';
import type { StepTimes } from '../workers/step-times.js';
import type { OfflineWork } from '../workload.js';
import type { OfflineEngine } from './engine.js';
import { LineWorker } from './line-worker.js';

/** How our engine is set up for a measurement. */
export interface KvasirSettings {
  readonly threads: number;
  readonly maxInFlight: 1 | 2;
  readonly kvCacheDtype: KvCacheDtype;
  /** Longest prompt of any work. */
  readonly maxContext: number;
  /** Most sequences of any work. */
  readonly maxBatch: number;
  /** Keep time by kind of op; costs a little. */
  readonly traceOps?: boolean;
}

/** Drives our own `LLM` in a process that stays loaded and idle between rounds. */
export class KvasirEngine implements OfflineEngine {
  readonly name: string;
  readonly version: string;
  readonly #worker: LineWorker;

  private constructor(worker: LineWorker, name: string, version: string) {
    this.#worker = worker;
    this.name = name;
    this.version = version;
  }

  static async open(modelPath: string, settings: KvasirSettings): Promise<KvasirEngine> {
    const script = fileURLToPath(new URL('./kvasir-worker.js', import.meta.url));
    const worker = new LineWorker(process.execPath, [script, modelPath, JSON.stringify(settings)]);
    const { version } = await worker.receive<{ version: string }>();
    return new KvasirEngine(worker, nameOf(settings), version);
  }

  async run(work: OfflineWork, round: number): Promise<number> {
    const { tokensPerSecond } = await this.#worker.ask<{ tokensPerSecond: number }>({ work, round });
    return tokensPerSecond;
  }

  /** Runs decode work and tells where the time of its steps went. */
  async trace(work: OfflineWork, round: number): Promise<StepTimes> {
    const { steps } = await this.#worker.ask<{ steps: StepTimes }>({ work, round });
    return steps;
  }

  close(): Promise<void> {
    return this.#worker.close();
  }
}

function nameOf({ maxInFlight, kvCacheDtype }: KvasirSettings): string {
  const changes = [
    ...(maxInFlight === 1 ? [] : [`${maxInFlight} in flight`]),
    ...(kvCacheDtype === 'auto' ? [] : [`${kvCacheDtype} KV`]),
  ];
  return changes.length === 0 ? 'Kvasir' : `Kvasir (${changes.join(', ')})`;
}
