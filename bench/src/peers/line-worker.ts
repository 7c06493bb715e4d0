import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/** A child process that answers each JSON line on stdin with one JSON line on stdout that starts with `@`. */
export class LineWorker {
  readonly #child: ChildProcess;
  readonly #waiting: { resolve: (line: string) => void; reject: (error: Error) => void }[] = [];
  #stderr = '';

  constructor(command: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env) {
    this.#child = spawn(command, args, { env, stdio: ['pipe', 'pipe', 'pipe'] });
    this.#child.stderr?.on('data', (chunk: Buffer) => {
      this.#stderr = (this.#stderr + chunk.toString()).slice(-4000);
    });
    createInterface({ input: this.#child.stdout as NodeJS.ReadableStream }).on('line', (line) => {
      if (line.startsWith('@')) this.#waiting.shift()?.resolve(line.slice(1));
    });
    this.#child.on('error', (error) => this.#fail(error));
    this.#child.on('exit', (code) => this.#fail(new Error(`${command} exited with ${code}\n${this.#stderr}`)));
  }

  /** Waits for the next answer without asking for anything (a worker announces itself with its first line). */
  async receive<T>(): Promise<T> {
    const line = await new Promise<string>((resolve, reject) => this.#waiting.push({ resolve, reject }));
    return JSON.parse(line) as T;
  }

  /** Sends one question and waits for its answer. */
  ask<T>(question: unknown): Promise<T> {
    const answer = this.receive<T>();
    this.#child.stdin?.write(`${JSON.stringify(question)}\n`);
    return answer;
  }

  /** Ends the process by closing its input; kills it if it lingers. */
  async close(): Promise<void> {
    const child = this.#child;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    child.stdin?.end();
    const timer = setTimeout(() => child.kill('SIGKILL'), 10_000);
    await exited;
    clearTimeout(timer);
  }

  #fail(error: Error): void {
    for (const waiter of this.#waiting.splice(0)) waiter.reject(error);
  }
}
