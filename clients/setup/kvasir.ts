import { type ChildProcess, spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';

/** The encoder that tests ask for, a name of the catalogue. */
export const EMBEDDING_MODEL = 'minilm-l6-v2';

/** A `kvasir serve` process on a free loopback port. */
export interface RunningKvasir {
  readonly url: string;
  readonly model: string;
  /** Ends it with SIGTERM. @returns Its exit code. */
  stop(): Promise<number | null>;
}

/** Starts the built command with `args` and waits until it listens. @throws When it ends before, with what it said. */
export async function startKvasir(args: readonly string[] = []): Promise<RunningKvasir> {
  const bin = join(dirname(createRequire(import.meta.url).resolve('kvasir/package.json')), 'bin', 'kvasir.js');
  const child = spawn(process.execPath, [bin, 'serve', '--port', '0', '--log-format', 'json', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const closed = new Promise<number | null>((resolve) => child.once('close', resolve));
  const { url, model } = await readReady(child);
  return {
    url,
    model,
    stop() {
      child.kill('SIGTERM');
      return closed;
    },
  };
}

async function readReady(child: ChildProcess): Promise<{ readonly url: string; readonly model: string }> {
  let said = '';
  child.stderr!.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  for await (const line of createInterface({ input: child.stdout! })) {
    said += `${line}\n`;
    if (line.startsWith('{"event":"ready"')) {
      // Reading on keeps the pipe from filling up.
      child.stdout!.resume();
      return JSON.parse(line);
    }
  }
  throw new Error(`kvasir serve ended before it was ready\n${said}`);
}
