import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { OfflineWork } from '../workload.js';
import type { OfflineEngine } from './engine.js';

const run = promisify(execFile);

/** Runs llama.cpp's own benchmark programs, found in the folder `binFolder`. */
export class LlamaCppEngine implements OfflineEngine {
  readonly name = 'llama.cpp';
  readonly version: string;
  readonly #bin: string;
  readonly #model: string;
  readonly #threads: number;

  private constructor(bin: string, model: string, threads: number, version: string) {
    this.#bin = bin;
    this.#model = model;
    this.#threads = threads;
    this.version = version;
  }

  static async open(binFolder: string, model: string, threads: number): Promise<LlamaCppEngine> {
    const args = ['-m', model, '-p', '8', '-n', '0', '-r', '1', '-t', String(threads), '-o', 'json'];
    const { stdout } = await run(join(binFolder, 'llama-bench'), args);
    const [first] = JSON.parse(stdout) as { build_commit: string; build_number: number }[];
    return new LlamaCppEngine(binFolder, model, threads, `b${first?.build_number} (${first?.build_commit})`);
  }

  run(work: OfflineWork): Promise<number> {
    return work.kind === 'decode' && work.batch > 1
      ? this.#batched(work.batch, work.tokens, work.promptTokens)
      : this.#single(work);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  async #single(work: OfflineWork): Promise<number> {
    const [prefill, decode] = work.kind === 'prefill' ? [work.tokens, 0] : [0, work.tokens];
    const args = [
      '-m',
      this.#model,
      '-p',
      String(prefill),
      '-n',
      String(decode),
      '-r',
      '1',
      '-t',
      String(this.#threads),
      ...(work.kind === 'decode' ? ['-d', String(work.promptTokens)] : []),
    ];
    const { stdout } = await run(join(this.#bin, 'llama-bench'), [...args, '-o', 'json']);
    const [first] = JSON.parse(stdout) as { avg_ts: number }[];
    if (first === undefined) throw new Error(`llama-bench printed no result: ${stdout.slice(0, 200)}`);
    return first.avg_ts;
  }

  async #batched(batch: number, tokens: number, promptTokens: number): Promise<number> {
    const context = batch * (tokens + promptTokens) + 64;
    const args = ['-m', this.#model, '-c', String(context), '-b', '2048', '-ub', '512', '-npp', String(promptTokens)];
    args.push('-ntg', String(tokens), '-npl', String(batch), '-t', String(this.#threads), '--output-format', 'jsonl');
    const { stdout } = await run(join(this.#bin, 'llama-batched-bench'), args, { maxBuffer: 1 << 24 });
    const line = stdout.split('\n').find((text) => text.startsWith('{'));
    if (line === undefined) throw new Error(`llama-batched-bench printed no result: ${stdout.slice(0, 200)}`);
    return (JSON.parse(line) as { speed_tg: number }).speed_tg;
  }
}
