import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { curlLine } from '../src/terminal/curl-line.js';
import { formatBytes } from '../src/terminal/format.js';
import { createPullReporter } from '../src/terminal/pull-reporter.js';
import { realModelPath } from './support/real-model.js';
import { runInProcess } from './support/run-in-process.js';
import { temporaryFolder } from './support/temporary-folder.js';

const folder = temporaryFolder();
const environment = { KVASIR_CACHE: join(folder, 'cache') };

describe('kvasir models', () => {
  test('lists the catalogue and an empty cache', async () => {
    const { code, stdout } = await runInProcess(['models'], { environment });
    expect(code).toBe(0);
    expect(stdout).toMatch(/^ {2}smollm2-135m +93\.8 MiB +SmolLM2 .* \(Apache-2\.0\)$/m);
    expect(stdout).toMatch(/^ {2}gemma3-270m +241\.4 MiB +Gemma 3 .* \(Gemma Terms of Use\)$/m);
    expect(stdout).toContain(`cache: ${environment.KVASIR_CACHE}\n`);
    expect(stdout).toContain('kvasir pull NAME');
  });
});

describe('kvasir pull', () => {
  test('prints the path of a model that is here, and nothing else', async () => {
    const path = realModelPath('smollm2');
    expect(await runInProcess(['pull', path])).toEqual({ code: 0, stdout: `${path}\n`, stderr: '' });
  });

  test('offline says what is missing and how to go on', async () => {
    const { code, stdout, stderr } = await runInProcess(['pull', 'smollm2-135m', '--offline'], { environment });
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^kvasir pull: model 'smollm2-135m' is not available\. Tried:\n/);
    expect(stderr).toContain('it is not in the cache, and offline is set');
    expect(stderr).toContain('pass its path instead');
  });

  test('shows terms, sources, failures and progress', () => {
    const written: string[] = [];
    const { callbacks, close } = createPullReporter('gemma', { write: (text) => written.push(text) });
    void callbacks.onTerms?.({ model: 'gemma', summary: 'Be good.', url: 'https://terms.example' });
    callbacks.onProgress?.({ source: 'first', file: 'a', receivedBytes: 0, totalBytes: 100 });
    callbacks.onAttemptFailed?.({ source: 'first', reason: 'it broke' });
    callbacks.onProgress?.({ source: 'second', file: 'a', receivedBytes: 100, totalBytes: 100 });
    callbacks.onWait?.({ pid: 7, host: 'here' });
    close();
    const text = written.join('');
    expect(text).toMatch(
      /^gemma: Be good\.\nTerms: https:\/\/terms\.example\nfetching gemma from first\n.* {2}0%.*\nfirst failed: it broke\nfetching gemma from second\n.*100%.*\nwaiting for process 7 on here/,
    );
  });
});

describe('kvasir doctor', () => {
  afterEach(() => vi.unstubAllEnvs());

  test('says what the machine has', async () => {
    const { code, stdout, stderr } = await runInProcess(['doctor'], { environment });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^kvasir +\d+\.\d+\.\d+/m);
    expect(stdout).toMatch(/^processor +\S/m);
    expect(stdout).toMatch(/^features +/m);
    expect(stdout).toMatch(/^kernel path +\S+ \(could run: .*scalar\)$/m);
    expect(stdout).toMatch(/^threads +\d+ of \d+ processors$/m);
    expect(stdout).toMatch(/^read bandwidth +\d+\.\d GB\/s with \d+ threads over 256\.0 MiB$/m);
    expect(stdout).toMatch(/^memory +.* in all, .* free, .* available to this process$/m);
    expect(stdout).toContain(environment.KVASIR_CACHE);
    expect(stdout).toMatch(/\n(nothing is missing|missing or worth knowing:)\n/);
  });

  test('notices a forced kernel path', async () => {
    vi.stubEnv('KVASIR_CPU_ISA', 'scalar');
    const { stdout } = await runInProcess(['doctor'], { environment });
    expect(stdout).toMatch(/^kernel path +scalar/m);
    if (/could run: scalar\)/.test(stdout)) expect(stdout).toContain('no vector kernels for this processor');
    else expect(stdout).toContain('(unset KVASIR_CPU_ISA)');
  });
});

test('a reader that leaves early ends the command quietly', async () => {
  const bin = new URL('../bin/kvasir.js', import.meta.url).pathname;
  const line = `"${process.execPath}" "${bin}" inspect --tensors "${realModelPath('smollm2')}" | head -n 1`;
  const { stdout, stderr } = await promisify(execFile)('sh', ['-c', line]);
  expect(stdout).toMatch(/^path .*\n$/);
  expect(stderr).toBe('');
});

test('a curl line is one command of a shell, whatever the name of the model', () => {
  const options = { url: 'http://[::]:8000', kind: 'text' as const, hasKey: true };
  expect(curlLine({ ...options, model: "it's" })).toBe(
    `curl http://[::1]:8000/v1/completions -H 'content-type: application/json' -H "authorization: Bearer $KVASIR_API_KEY" -d '{"model":"it'\\''s","prompt":"The sky is blue because","max_tokens":64}'`,
  );
});

test('bytes are shown in the largest unit that fits', () => {
  expect([0, 1023, 1024, 1.5 * 2 ** 30, 2 ** 60].map(formatBytes)).toEqual([
    '0 B',
    '1023 B',
    '1.0 KiB',
    '1.5 GiB',
    '1048576.0 TiB',
  ]);
});
