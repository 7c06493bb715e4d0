import { type ChildProcess, spawn } from 'node:child_process';
import { get } from 'node:http';
import { createServer } from 'node:net';

/** A server under test: a child process on a loopback port. */
export interface ServerProcess {
  readonly name: string;
  readonly pid: number;
  readonly port: number;
  readonly model: string;
  /** Milliseconds from spawn to the first 200 of its health route. */
  readonly readyMs: number;
  /** Ends it with SIGTERM. @returns Its exit code; `null` when a signal ended it. */
  close(): Promise<number | null>;
}

/** How to start one. `{port}` in an argument becomes the port. */
export interface ServerCommand {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  readonly model: string;
  readonly healthPath: string;
  readonly timeoutMs: number;
}

/** Starts a server and waits until it is healthy. */
export async function startServer(options: ServerCommand): Promise<ServerProcess> {
  const port = await freePort();
  const args = options.args.map((arg) => arg.replace('{port}', String(port)));
  const started = performance.now();
  const child = spawn(options.command, args, { env: options.env ?? process.env, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  const keep = (chunk: Buffer) => {
    output = (output + chunk.toString()).slice(-4000);
  };
  child.stdout?.on('data', keep);
  child.stderr?.on('data', keep);
  while (!(await isHealthy(port, options.healthPath))) {
    if (child.exitCode !== null) throw new Error(`${options.name} exited with ${child.exitCode}\n${output}`);
    if (performance.now() - started > options.timeoutMs) {
      await stop(child);
      throw new Error(`${options.name} was not healthy after ${options.timeoutMs} ms\n${output}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  const readyMs = performance.now() - started;
  const pid = child.pid as number;
  return { name: options.name, pid, port, model: options.model, readyMs, close: () => stop(child) };
}

/** A loopback port that was free a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as { port: number };
      probe.close(() => resolve(port));
    });
  });
}

function isHealthy(port: number, path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const call = get({ host: '127.0.0.1', port, path, timeout: 2000 }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    call.on('error', () => resolve(false));
    call.on('timeout', () => call.destroy());
  });
}

async function stop(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), 15_000);
  await exited;
  clearTimeout(timer);
  return child.exitCode;
}
