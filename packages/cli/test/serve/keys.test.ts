import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { spawnKvasir } from '../support/spawn-kvasir.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { writeTinyModel } from '../support/tiny-checkpoint.js';

const folder = temporaryFolder();
const tiny = join(folder, 'tiny.gguf');
beforeAll(() => writeTinyModel(tiny));

const serve = (argv: readonly string[], options: Parameters<typeof spawnKvasir>[1] = {}) =>
  spawnKvasir(['serve', tiny, '--port', '0', ...argv], options);
const bearer = (key: string) => ({ headers: { authorization: `Bearer ${key}` } });
const statusOf = async (url: string, key: string) => (await fetch(`${url}/v1/models`, bearer(key))).status;

/** Names and keys that would be found wherever they are. */
const SECRETS = {
  flag: 'sk-given-as-a-flag-2f7a',
  variable: 'sk-given-as-a-variable-91bc',
  file: 'sk-given-in-a-file-7d03',
  admin: 'sk-of-the-admin-55ee',
};

describe('API keys', () => {
  test('come from flags, a variable, a config file and a file of keys; the name of one is its tenant', async () => {
    const keyFile = join(folder, 'several');
    writeFileSync(keyFile, '# two\nacme:from-file\n:odd:key\n', { mode: 0o600 });
    const argv = ['--api-key', 'one', '--api-key', 'beta:two,with,commas', '--api-key-file', keyFile];
    const server = serve([...argv, '--enable-log-requests'], { environment: { KVASIR_API_KEY: 'overruled' } });
    const url = await server.url();
    for (const key of ['one', 'two,with,commas', 'from-file', 'odd:key']) expect(await statusOf(url, key)).toBe(200);
    for (const key of ['overruled', 'beta:two,with,commas', 'two', 'acme', '']) {
      expect(await statusOf(url, key)).toBe(401);
    }
    await fetch(`${url}/version`, bearer('from-file'));
    const [line] = await server.said(/^\{.*"\/version".*\}$/m, 'stderr');
    expect(JSON.parse(line)).toMatchObject({ tenant: 'acme', status: 200 });
    const fromVariable = await serve([], { environment: { KVASIR_API_KEY: 'a\nb:c' } }).url();
    expect([await statusOf(fromVariable, 'a'), await statusOf(fromVariable, 'c')]).toEqual([200, 200]);
  });

  test('are read again at SIGHUP without dropping a request; a file without any changes nothing', async () => {
    const keyFile = join(folder, 'rotated');
    writeFileSync(keyFile, 'old\n', { mode: 0o600 });
    const server = serve(['--api-key-file', keyFile]);
    const url = await server.url();
    const stream = await fetch(`${url}/v1/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: 'Bearer old' },
      body: JSON.stringify({ prompt: 'abc', max_tokens: 400, ignore_eos: true, stream: true }),
    });
    writeFileSync(keyFile, '\n');
    server.kill('SIGHUP');
    await server.said(/^\{"event":"reload_failed".*expected a key a line, got none; add one"\}$/m);
    expect(await statusOf(url, 'old')).toBe(200);
    writeFileSync(keyFile, 'new\nother\n');
    server.kill('SIGHUP');
    await server.said(/^\{"event":"reloaded".*"api_keys":2,"tls":false\}$/m);
    expect([await statusOf(url, 'old'), await statusOf(url, 'new'), await statusOf(url, 'other')]).toEqual([
      401, 200, 200,
    ]);
    expect(await stream.text()).toMatch(/data: \[DONE\]\n\n$/);
  });

  test('wrong ones are refused at the start without being repeated', async () => {
    const keyFile = join(folder, 'wrong');
    writeFileSync(keyFile, `fine\n${SECRETS.file} and more\n`, { mode: 0o600 });
    const { code, stdout, stderr } = await serve(['--api-key-file', keyFile]).ended;
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toBe(
      `kvasir serve: --api-key-file ${keyFile}, line 2: expected [NAME:]KEY of visible ASCII characters, got none or others; correct it\n`,
    );
    const twice = await serve(['--api-key', `a:${SECRETS.flag}`, '--api-key', `b:${SECRETS.flag}`]).ended;
    expect(twice.code).toBe(2);
    expect(twice.stderr).toMatch(/^kvasir serve: an API key is given twice, with a and with b; .*\n$/);
    expect(twice.stderr).not.toContain(SECRETS.flag);
  });
});

describe('a secret', () => {
  test.each(['text', 'json'])('is in no panel, log, answer or error (%s)', async (format) => {
    const keyFile = join(folder, 'secret');
    writeFileSync(keyFile, `acme:${SECRETS.file}\n`, { mode: 0o600 });
    const argv = ['--api-key', SECRETS.flag, '--api-key-file', keyFile, '--admin-key', SECRETS.admin];
    const server = serve([...argv, '--enable-log-requests', '--log-prompts', '--log-format', format], {
      environment: { KVASIR_ADMIN_KEY: SECRETS.variable },
    });
    const [, url = ''] = await server.said(/(http:\/\/127\.0\.0\.1:\d+)\b(?!\/metrics)/);
    const texts = await Promise.all(
      [
        ['/server_info', SECRETS.admin],
        ['/server_info', SECRETS.flag],
        ['/v1/models', SECRETS.admin],
        ['/v1/models', SECRETS.file],
        ['/nowhere', SECRETS.file],
        ['/metrics', SECRETS.flag],
        ['/openapi.json', SECRETS.flag],
        ['/docs', SECRETS.flag],
      ].map(async ([path, key = '']) => (await fetch(url + path, bearer(key))).text()),
    );
    expect(texts[0]).toContain('"has_api_keys":true');
    const bad = await fetch(`${url}/v1/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${SECRETS.flag}` },
      body: '{"prompt": 7}',
    });
    texts.push(await bad.text());
    server.kill('SIGTERM');
    const { code, stdout, stderr } = await server.ended;
    expect([bad.status, code]).toEqual([400, 0]);
    expect(stderr).toContain('"/server_info"');
    for (const secret of Object.values(SECRETS)) {
      for (const text of [...texts, stdout, stderr]) expect(text).not.toContain(secret);
    }
  });

  test('of a file is not in the memory of the server, only its hash', { timeout: 60_000 }, async () => {
    const keyFile = join(folder, 'hashed');
    const cwd = temporaryHeap;
    // The name is long enough for a part of the line to be kept instead of a copy.
    writeFileSync(keyFile, `a-tenant-with-a-long-name:${SECRETS.file}\n${SECRETS.variable}\n`, { mode: 0o600 });
    const server = serve(['--api-key-file', keyFile], {
      cwd,
      environment: { NODE_OPTIONS: '--heapsnapshot-signal=SIGUSR2' },
    });
    const url = await server.url();
    expect(await statusOf(url, SECRETS.file)).toBe(200);
    server.kill('SIGUSR2');
    const snapshot = () => readdirSync(cwd).find((name) => name.endsWith('.heapsnapshot'));
    await expect.poll(snapshot, { timeout: 30_000 }).toBeDefined();
    await expect
      .poll(() => readFileSync(join(cwd, snapshot()!), 'utf8').endsWith(']}'), { timeout: 30_000 })
      .toBe(true);
    const heap = readFileSync(join(cwd, snapshot()!), 'utf8');
    expect(heap).toContain('a-tenant-with-a-long-name');
    for (const secret of [SECRETS.file, SECRETS.variable]) expect(heap.includes(secret)).toBe(false);
  });
});

const temporaryHeap = temporaryFolder();

describe('what the flags of access ask for', () => {
  test('reaches the server', async () => {
    const keyFile = join(folder, 'open');
    writeFileSync(keyFile, 'acme:one\nbeta:two\n', { mode: 0o644 });
    const argv = ['--api-key-file', keyFile, '--isolate-tenants', '--metrics-without-key', '--metrics-prefix', 'acme'];
    const origins = ['--cors-origin', 'https://a.example', '--cors-origin', 'https://b.example'];
    const server = serve([...argv, ...origins, '--enable-log-requests', '--log-prompts']);
    const url = await server.url();
    const complete = async (key: string) => {
      const response = await fetch(`${url}/v1/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${key}`, origin: 'https://b.example' },
        body: JSON.stringify({ prompt: 'a'.repeat(64), max_tokens: 1 }),
      });
      expect(response.headers.get('access-control-allow-origin')).toBe('https://b.example');
      const { usage } = (await response.json()) as {
        usage: { prompt_tokens_details: { cached_tokens: number } | null };
      };
      return usage.prompt_tokens_details?.cached_tokens;
    };
    expect([await complete('one'), await complete('two')]).toEqual([0, 0]);
    expect(await complete('two')).toBeGreaterThan(0);
    const metrics = await (await fetch(`${url}/metrics`)).text();
    expect(metrics).toContain('acme:num_requests_running{');
    expect(metrics).not.toContain('vllm:');
    const [line] = await server.said(/^\{.*"\/v1\/completions".*\}$/m, 'stderr');
    expect(JSON.parse(line)).toMatchObject({ tenant: 'acme', prompt: `"${'a'.repeat(64)}"` });
    expect(server.stdout).toContain(`"message":"--api-key-file ${keyFile} can be read by everyone on this machine`);
    expect(server.stdout.match(/^\{"event":"warning"/gm)).toHaveLength(1);
  });

  test.each([
    [['--log-prompts'], '--log-prompts: expected --enable-log-requests beside it, got none; add it'],
    [
      ['--isolate-tenants', '--api-key', 'k'],
      '--isolate-tenants: expected API keys with names (NAME:KEY), got none; give each tenant one',
    ],
    [['--cors-origin', 'https://a.example/'], "--cors-origin has 'https://a.example/', expected an origin like"],
    [['--metrics-prefix', 'a-b'], "--metrics-prefix is 'a-b', expected letters, digits and underscores"],
    [['--max-n', '0'], "--max-n: expected a whole number of at least 1, got '0'"],
    [['--max-connection', '1'], 'unknown flag --max-connection; did you mean --max-connections?'],
  ])('is refused before a model is loaded: %j', async (argv, message) => {
    const { code, stdout, stderr } = await spawnKvasir(['serve', './nowhere.gguf', ...argv]).ended;
    expect(stdout).toBe('');
    expect(code).toBeGreaterThan(0);
    expect(stderr).toContain(message);
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
  });
});
