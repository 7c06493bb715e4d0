import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, test } from 'vitest';
import { realModelPath } from './support/real-model.js';
import { spawnKvasir } from './support/spawn-kvasir.js';
import { temporaryFolder } from './support/temporary-folder.js';
import { writeTinyModel } from './support/tiny-checkpoint.js';

// The built command as users run it: what these tests see, they would see.

const folder = temporaryFolder();
const tiny = join(folder, 'tiny.gguf');
const serve = (argv: readonly string[], environment: NodeJS.ProcessEnv = {}) =>
  spawnKvasir(['serve', '--port', '0', ...argv], { environment });

beforeAll(() => writeTinyModel(tiny));

describe('what serve says', () => {
  const shell = (line: string, environment: NodeJS.ProcessEnv = {}) =>
    promisify(execFile)('sh', ['-c', line], { env: { ...process.env, ...environment } });

  test('is a line for curl that works when pasted', { timeout: 60_000 }, async () => {
    const server = serve([realModelPath('smollm2'), '--served-model-name', 'it\'s "mine"']);
    const { stdout } = await shell((await server.ready()).curl);
    const body = JSON.parse(stdout) as { choices: { message: { content: string } }[]; model: string };
    expect(body.model).toBe('it\'s "mine"');
    expect(body.choices[0]?.message.content).not.toBe('');
    expect(server.stderr).toBe('');
  });

  test('is open to the network: a warning in one line, and an address that can be connected to', async () => {
    const server = serve([tiny, '--host', '0.0.0.0']);
    const { curl } = await server.ready();
    expect(curl).toMatch(/^curl http:\/\/127\.0\.0\.1:/);
    expect(server.stderr).toBe('');
    const [warning] = await server.said(/^\{"event":"warning".*\}$/m);
    expect(JSON.parse(warning).message).toBe(
      '0.0.0.0 is open to the network and there is no --api-key: anybody may use it',
    );
    expect(JSON.parse((await shell(curl)).stdout)).toMatchObject({ object: 'text_completion', model: 'tiny' });
  });

  test('never holds the key, and works with it', async () => {
    const server = serve([tiny, '--host', '0.0.0.0', '--api-key', 'open-sesame', '--log-format', 'text']);
    const [line] = await server.said(/^curl .*$/m);
    expect(server.stdout).toContain('with the key in $KVASIR_API_KEY:');
    expect(server.stdout).not.toContain('open-sesame');
    expect(server.stderr).toBe('');
    expect(JSON.parse((await shell(line, { KVASIR_API_KEY: 'open-sesame' })).stdout)).toMatchObject({ model: 'tiny' });
    expect(JSON.parse((await shell(line, { KVASIR_API_KEY: 'please' })).stdout)).toHaveProperty('error');
  });

  test('is a line a request on stderr when asked, without its text', async () => {
    const server = serve([tiny, '--enable-log-requests']);
    await fetch(`${await server.url()}/v1/completions`, completion({ prompt: 'abcabcabc', max_tokens: 1 }));
    const [line] = await server.said(/^\{.*"\/v1\/completions".*\}$/m, 'stderr');
    expect(line).not.toContain('abcabcabc');
  });
});

describe('where a setting comes from', () => {
  const config = join(folder, 'serve.yaml');
  const served = async (argv: readonly string[], environment: NodeJS.ProcessEnv) => {
    const server = spawnKvasir(['serve', ...argv], { environment });
    const response = await fetch(`${await server.url()}/v1/models`);
    const { data } = (await response.json()) as { data: { id: string; max_model_len: number }[] };
    return data[0];
  };

  beforeAll(() => {
    writeFileSync(config, `model: ${tiny}\nport: 0\nserved_model_name: config\nmax-model-len: 100\noffline: true\n`);
  });

  test('a file gives every flag', async () => {
    expect(await served(['--config', config], {})).toMatchObject({ id: 'config', max_model_len: 100 });
  });

  test('a variable beats the file, and may name it', async () => {
    const environment = { KVASIR_CONFIG: config, KVASIR_SERVED_MODEL_NAME: 'variable', KVASIR_MAX_MODEL_LEN: '101' };
    expect(await served([], environment)).toMatchObject({ id: 'variable', max_model_len: 101 });
  });

  test('the command line beats both', async () => {
    const environment = { KVASIR_CONFIG: config, KVASIR_SERVED_MODEL_NAME: 'variable', KVASIR_MAX_MODEL_LEN: '101' };
    expect(await served(['--max-model-len', '102'], environment)).toMatchObject({ id: 'variable', max_model_len: 102 });
  });
});

describe('--pin-prompt-file', () => {
  const write = (name: string, text: string) => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };

  test('holds the blocks of each prompt from before the server is ready', async () => {
    const prompts = [write('one.txt', `${'one '.repeat(12)}\n`), write('two.txt', 'efgh'.repeat(20))];
    const url = await serve([tiny, ...prompts.flatMap((path) => ['--pin-prompt-file', path])]).url();
    const metrics = await (await fetch(`${url}/metrics`)).text();
    expect(metrics).toMatch(/^kvasir:kv_blocks_pinned\{.*\} 8$/m);
    const response = await fetch(
      `${url}/v1/completions`,
      completion({ prompt: `${'one '.repeat(12)}more`, max_tokens: 1 }),
    );
    expect(await response.json()).toMatchObject({ usage: { prompt_tokens_details: { cached_tokens: 48 } } });
  });

  test('2 for a file that is not there or is empty, 1 for more than its share', async () => {
    const ended = (argv: readonly string[]) => serve([tiny, ...argv]).ended;
    expect(await ended(['--pin-prompt-file', 'nowhere.txt'])).toMatchObject({
      code: 2,
      stderr: 'kvasir serve: --pin-prompt-file nowhere.txt: cannot read it (ENOENT)\n',
    });
    expect(await ended(['--pin-prompt-file', write('empty.txt', '\n')])).toMatchObject({ code: 2 });
    const { code, stderr } = await ended([
      '--pin-prompt-file',
      write('one.txt', 'one '.repeat(12)),
      '--max-pinned-share',
      '0',
    ]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/pins would hold 3 blocks, expected at most 0: .* raise --max-pinned-share\n$/);
  });
});

describe('what cannot be served ends in one line and exit code', () => {
  test('1 for a port in use', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as { port: number };
    expect(await spawnKvasir(['serve', tiny, '--port', String(port)]).ended).toEqual({
      code: 1,
      stdout: '',
      stderr: `kvasir serve: 127.0.0.1:${port} is in use by another program; stop it or choose another port\n`,
    });
    other.close();
  });

  test('1 for a model that is not there', async () => {
    expect(await serve(['./nowhere.gguf']).ended).toEqual({
      code: 1,
      stdout: '',
      stderr:
        "kvasir serve: model './nowhere.gguf' looks like a path, but there is nothing: correct it, or give a known name or a Hugging Face id\n",
    });
  });

  test('1 for more memory than there is', async () => {
    const { code, stderr } = await serve([tiny, '--kv-cache-memory-bytes', '1000T']).ended;
    expect(code).toBe(1);
    expect(stderr).toMatch(/^kvasir serve: the model needs .* lower --kv-cache-memory-bytes .*\n$/);
  });

  test('2 for a flag that does not exist', async () => {
    expect(await serve(['--modle', 'x']).ended).toEqual({
      code: 2,
      stdout: '',
      stderr: 'kvasir serve: unknown flag --modle; did you mean --model?\n',
    });
  });
});

describe('the end', { timeout: 60_000 }, () => {
  /** A stream that is under way. */
  async function startStream(url: string, maxTokens: number) {
    const body = { prompt: 'Once', max_tokens: maxTokens, ignore_eos: true, stream: true };
    const response = await fetch(
      `${url}/v1/completions`,
      completion({ ...body, stream_options: { include_usage: true } }),
    );
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    let text = (await reader?.read())?.value ?? '';
    const rest = async () => {
      for (let next = await reader?.read(); next?.done === false; next = await reader?.read()) text += next.value;
      return text;
    };
    return { rest };
  }

  test.each(['SIGINT', 'SIGTERM'] as const)('comes at once with %s when nothing runs', async (signal) => {
    const server = serve([tiny]);
    await server.url();
    server.kill(signal);
    const { code, stdout, stderr } = await server.ended;
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(
      stdout
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line).event),
    ).toEqual(['ready', 'stopped']);
  });

  test('waits for running requests and takes no new ones', async () => {
    const server = serve([realModelPath('smollm2')]);
    const url = await server.url();
    const stream = await startStream(url, 120);
    server.kill('SIGTERM');
    const [draining] = await server.said(/^\{"event":"draining".*\}$/m);
    expect(JSON.parse(draining)).toMatchObject({ signal: 'SIGTERM', requests: 1, timeout_s: 30 });
    const late = await fetch(`${url}/v1/completions`, completion({ prompt: 'x' })).then(
      ({ status }) => status,
      () => 'refused',
    );
    expect([503, 'refused']).toContain(late);
    const text = await stream.rest();
    expect(text).toContain('"completion_tokens":120');
    expect(text).toMatch(/data: \[DONE\]\n\n$/);
    const { code, stdout } = await server.ended;
    expect(code).toBe(0);
    expect(stdout).toContain('"outcome":"drained","aborted":0}');
  });

  test('comes anyway when the time is over', async () => {
    const server = serve([realModelPath('smollm2'), '--drain-timeout', '1']);
    const url = await server.url();
    const stream = await startStream(url, 8000);
    const whole = fetch(`${url}/v1/completions`, completion({ prompt: 'x', max_tokens: 8000, ignore_eos: true }));
    await expect
      .poll(async () => (await fetch(`${url}/metrics`)).text(), { timeout: 20_000 })
      .toMatch(/running\{.*\} 2\n/);
    const started = performance.now();
    server.kill('SIGTERM');
    await server.said(/"event":"draining"/);
    const ready = await fetch(`${url}/ready`);
    expect([ready.status, ready.headers.get('retry-after'), await ready.json()]).toEqual([
      503,
      '5',
      { status: 'draining' },
    ]);
    const late = await fetch(`${url}/v1/completions`, completion({ prompt: 'x' }));
    expect([late.status, late.headers.get('retry-after')]).toEqual([503, '5']);
    const cut = await whole;
    expect([cut.status, await cut.json()]).toMatchObject([503, { error: { code: 'generation_aborted' } }]);
    const { code, stdout } = await server.ended;
    expect(code).toBe(3);
    expect(stdout).toContain('"event":"stopped"');
    expect(stdout).toContain('"outcome":"timeout","aborted":2}');
    expect(performance.now() - started).toBeLessThan(15_000);
    const text = await stream.rest();
    expect(text).not.toContain('[DONE]');
    expect(text).toContain('the server shuts down and could not wait until the request was done');
  });

  test('comes with the second signal', async () => {
    const server = serve([realModelPath('smollm2'), '--shutdown-timeout', '3600']);
    const stream = await startStream(await server.url(), 8000);
    server.kill('SIGTERM');
    await server.said(/"event":"draining"/);
    server.kill('SIGINT');
    const { code, stdout } = await server.ended;
    expect(code).toBe(130);
    expect(stdout).toContain('"signal":"SIGTERM","outcome":"forced","aborted":1}');
    expect(await stream.rest()).not.toContain('[DONE]');
  });
});

test.runIf(process.platform === 'linux')('an idle server uses no CPU', { timeout: 60_000 }, async () => {
  const server = serve([realModelPath('smollm2')]);
  const url = await server.url();
  await fetch(`${url}/v1/completions`, completion({ prompt: 'Once', max_tokens: 4 }));
  // What a server loads lazily after its start is not idleness.
  await pause(2500);
  const before = processorSeconds(server.process.pid as number);
  await pause(1500);
  const used = processorSeconds(server.process.pid as number) - before;
  expect(used).toBeLessThan(0.15);
});

const completion = (body: object) => ({
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
});

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** User and system time of a process, in hundredths as the kernel counts them. */
function processorSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}
