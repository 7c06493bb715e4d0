import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { pythonBin } from './python-clients.mjs';

const folder = join(dirname(dirname(fileURLToPath(import.meta.url))), 'python');

/**
 * Runs an executable of the Python environment in `python/`.
 * @param onLine - Called with each line of its stdout as it comes; `reply` writes a line to its stdin.
 * @returns Its exit code and all that it wrote.
 */
export async function runPython(
  name: string,
  args: readonly string[],
  onLine: (line: string, reply: (text: string) => void) => unknown = () => undefined,
): Promise<{ readonly code: number | null; readonly output: string }> {
  const child = startPython(name, args);
  let output = '';
  child.stderr!.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  const closed = new Promise<number | null>((resolve, reject) => child.once('error', reject).once('close', resolve));
  for await (const line of createInterface({ input: child.stdout! })) {
    output += `${line}\n`;
    await onLine(line, (text) => child.stdin!.end(`${text}\n`));
  }
  return { code: await closed, output };
}

/** Starts an executable of the Python environment in `python/`; nothing of it goes to the network beyond loopback. */
export function startPython(name: string, args: readonly string[], environment: NodeJS.ProcessEnv = {}) {
  return spawn(pythonBin(folder, name), args, {
    cwd: folder,
    stdio: ['pipe', 'pipe', 'pipe'],
    env: {
      ...process.env,
      HF_HUB_OFFLINE: '1',
      LITELLM_LOCAL_MODEL_COST_MAP: 'True',
      NO_PROXY: '127.0.0.1',
      PYTHONUNBUFFERED: '1',
      ...environment,
    },
  });
}
