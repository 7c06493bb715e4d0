import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { type SpawnedKvasir, spawnKvasir } from '../support/spawn-kvasir.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { writeTinyModel } from '../support/tiny-checkpoint.js';

const tiny = join(temporaryFolder(), 'tiny.gguf');
// Room for answers that take seconds.
beforeAll(() => writeTinyModel(tiny, { 'llama.context_length': 65_536 }));

const serve = (...argv: string[]) => spawnKvasir(['serve', tiny, '--port', '0', '--supervise', ...argv]);

/** Events so far that are called `name`. */
function events(server: SpawnedKvasir, name: string): { readonly [field: string]: unknown }[] {
  return server.stdout
    .split('\n')
    .filter((line) => line.startsWith(`{"event":"${name}"`))
    .map((line) => JSON.parse(line));
}

const complete = (url: string, maxTokens: number) =>
  fetch(`${url}/v1/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ prompt: 'abc', max_tokens: maxTokens, ignore_eos: true }),
  });

const isAlive = (pid: number) => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

describe('serve --supervise', { timeout: 60_000 }, () => {
  test('starts a server that crashed again, on its port, and says so; SIGTERM drains', async () => {
    const server = serve();
    const { url, pid } = await server.ready();
    expect(pid).not.toBe(server.process.pid);
    expect((await complete(url, 4)).status).toBe(200);
    process.kill(pid as number, 'SIGSEGV');
    const [line] = await server.said(/^\{"event":"crashed".*\}$/m);
    expect(JSON.parse(line)).toMatchObject({ crashed_pid: pid, signal: 'SIGSEGV', exit_code: null, restart: 1 });
    await expect.poll(() => events(server, 'ready').length, { timeout: 30_000 }).toBe(2);
    expect(events(server, 'ready')[1]).toMatchObject({ url });
    expect(events(server, 'ready')[1]?.['pid']).not.toBe(pid);
    expect((await complete(url, 4)).status).toBe(200);
    const running = complete(url, 4000);
    await expect
      .poll(async () => (await (await fetch(`${url}/metrics`)).text()).match(/running\{.*\} 1\n/), { timeout: 20_000 })
      .toBeTruthy();
    server.kill('SIGTERM');
    expect((await running).status).toBe(200);
    const { code, stdout } = await server.ended;
    expect(code).toBe(0);
    expect(stdout).toMatch(/"event":"stopped".*"outcome":"drained"/);
  });

  test('gives up after --max-restarts, with the exit code of the crash', async () => {
    const server = serve('--max-restarts', '1', '--log-format', 'json');
    for (let crash = 0; crash < 2; crash++) {
      await expect.poll(() => events(server, 'ready').length, { timeout: 30_000 }).toBe(crash + 1);
      process.kill(events(server, 'ready')[crash]?.['pid'] as number, 'SIGKILL');
    }
    expect((await server.ended).code).toBe(137);
    expect(events(server, 'given_up')).toMatchObject([{ exit_code: 137, restarts: 1, window_s: 300 }]);
  });

  test('does not repeat a start that fails', async () => {
    const missing = await spawnKvasir(['serve', './nowhere.gguf', '--supervise']).ended;
    expect([missing.code, missing.stdout]).toEqual([1, '']);
    expect(missing.stderr.match(/there is nothing/g)).toHaveLength(1);
    const wrong = await spawnKvasir(['serve', tiny, '--supervise', '--prot', '1']).ended;
    expect(wrong).toMatchObject({ code: 2, stderr: 'kvasir serve: unknown flag --prot; did you mean --port?\n' });
    const busy = serve();
    const { port } = new URL(await busy.url());
    expect(await spawnKvasir(['serve', tiny, '--supervise', '--port', port]).ended).toMatchObject({
      code: 1,
      stdout: '',
    });
  });

  test('keeps the exit code of a server that was cut off, and passes a second signal on', async () => {
    const server = serve('--drain-timeout', '3600');
    const url = await server.url();
    const running = complete(url, 60_000).catch(() => undefined);
    await expect
      .poll(async () => (await (await fetch(`${url}/metrics`)).text()).match(/running\{.*\} 1\n/), { timeout: 20_000 })
      .toBeTruthy();
    server.kill('SIGTERM');
    await server.said(/"event":"draining"/);
    server.kill('SIGTERM');
    await running;
    expect((await server.ended).code).toBe(143);
  });

  test('a server whose supervisor is gone ends too', async () => {
    const server = serve();
    const { pid } = await server.ready();
    server.kill('SIGKILL');
    await expect.poll(() => isAlive(pid as number), { timeout: 20_000 }).toBe(false);
  });
});
