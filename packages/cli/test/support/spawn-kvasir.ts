import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterEach } from 'vitest';
import type { Ended } from './run-in-process.js';

const BIN = fileURLToPath(new URL('../../bin/kvasir.js', import.meta.url));

/** How a command is spawned. */
export interface SpawnOptions {
  readonly environment?: NodeJS.ProcessEnv;
  /** Written to stdin, which is then closed. */
  readonly input?: string;
  /** Leaves stdin open for what the test writes. */
  readonly keepsInputOpen?: boolean;
  /** Folder to run in. */
  readonly cwd?: string;
}

/** The built command as a process of its own. */
export class SpawnedKvasir {
  readonly process: ChildProcess;
  readonly ended: Promise<Ended>;
  stdout = '';
  stderr = '';
  readonly #listeners = new Set<() => void>();

  constructor(argv: readonly string[], { environment = {}, input, keepsInputOpen = false, cwd }: SpawnOptions) {
    this.process = spawn(process.execPath, [BIN, ...argv], {
      env: { ...process.env, ...environment },
      stdio: 'pipe',
      ...(cwd === undefined ? {} : { cwd }),
    });
    this.process.stdout?.on('data', (chunk: Buffer) => this.#append('stdout', chunk));
    this.process.stderr?.on('data', (chunk: Buffer) => this.#append('stderr', chunk));
    if (!keepsInputOpen) this.process.stdin?.end(input);
    this.ended = new Promise((resolve, reject) => {
      this.process.on('error', reject);
      this.process.on('close', (code, signal) => {
        if (code === null) reject(new Error(`ended by ${signal}\n${this.stdout}${this.stderr}`));
        else resolve({ code, stdout: this.stdout, stderr: this.stderr });
      });
    });
    this.ended.catch(() => undefined);
  }

  /** The first match of `pattern` in what was said, now or later. */
  async said(pattern: RegExp, where: 'stdout' | 'stderr' = 'stdout'): Promise<RegExpExecArray> {
    const hasEnded = this.ended.then(
      () => true,
      () => true,
    );
    for (let isOver = false; ; ) {
      const match = pattern.exec(this[where]);
      if (match !== null) return match;
      if (isOver) throw new Error(`it ended without saying ${pattern}\n${this.stdout}${this.stderr}`);
      isOver = await Promise.race([hasEnded, this.#more().then(() => false)]);
    }
  }

  /** Base URL of a server, once it says so. */
  async url(): Promise<string> {
    return (await this.ready()).url;
  }

  /** What a server says when it listens, as `--log-format json` writes it. */
  async ready(): Promise<{ readonly url: string; readonly curl: string; readonly [fact: string]: unknown }> {
    const [line] = await this.said(/^\{"event":"ready".*\}$/m);
    return JSON.parse(line);
  }

  kill(signal: NodeJS.Signals): void {
    this.process.kill(signal);
  }

  #append(where: 'stdout' | 'stderr', chunk: Buffer): void {
    this[where] += chunk.toString();
    for (const listener of this.#listeners) listener();
    this.#listeners.clear();
  }

  #more(): Promise<void> {
    return new Promise((resolve) => this.#listeners.add(resolve));
  }
}

/** Spawns the built command; what still runs after the test is killed. */
export function spawnKvasir(argv: readonly string[], options: SpawnOptions = {}): SpawnedKvasir {
  const spawned = new SpawnedKvasir(argv, options);
  running.add(spawned);
  void spawned.ended.catch(() => undefined).finally(() => running.delete(spawned));
  return spawned;
}

const running = new Set<SpawnedKvasir>();
afterEach(() => {
  for (const each of running) each.kill('SIGKILL');
});
