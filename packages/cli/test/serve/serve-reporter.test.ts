import { describe, expect, test } from 'vitest';
import { collectServeFacts } from '../../src/serve/serve-facts.js';
import { createServeReporter, type LogFormat } from '../../src/serve/serve-reporter.js';

const setting = {
  url: 'http://127.0.0.1:8000',
  blockSize: 16,
  needsKey: false,
  hasAdminKey: false,
  isKeyInShell: false,
};
const llm = {
  name: 'Tiny 1B',
  limits: { maxModelLen: 4096, maxNumSeqs: 64 },
  memory: { weightBytes: 3 * 2 ** 20, kvCacheBytes: 2 ** 30 },
  device: { device: 'a processor', kernelPath: 'avx2', numThreads: 2 },
  chatTemplate: undefined,
  engine: { stats: () => ({ numBlocks: 640 }) },
};
const embedder = {
  name: 'all-MiniLM-L6-v2',
  limits: { maxModelLen: 256 },
  memory: { weightBytes: 2 ** 20 },
  device: llm.device,
  width: 384,
};
const both = { name: 'tiny', llm, embedding: { name: 'minilm', embedder } };
const factsOf = (changes: Partial<typeof setting> = {}, served: object = { ...both, embedding: undefined }) =>
  collectServeFacts(served as never, { ...setting, ...changes });

function setUp(format: LogFormat, isTTY = false, environment: NodeJS.ProcessEnv = {}) {
  const said = { stdout: '', stderr: '' };
  const stream = (name: 'stdout' | 'stderr') => ({
    isTTY,
    write: (text: string) => {
      said[name] += text;
    },
  });
  const context = { stdout: stream('stdout'), stderr: stream('stderr'), stdin: process.stdin, environment };
  return { said, reporter: createServeReporter(format, context) };
}

describe('facts', () => {
  test('tell how many tokens the KV cache holds, and how many of the longest sequences', () => {
    expect(factsOf()).toMatchObject({ kvCapacityTokens: 10_240, maxConcurrency: 2.5, maxModelLen: 4096 });
  });

  test('hold no key, only whether there is one', () => {
    expect(factsOf({ needsKey: true, hasAdminKey: true })).toMatchObject({
      needsKey: true,
      hasAdminKey: true,
      wantsKeyInShell: true,
    });
    expect(factsOf({ needsKey: true, isKeyInShell: true }).wantsKeyInShell).toBe(false);
  });
});

describe('for people', () => {
  test('there is a panel', () => {
    const { said, reporter } = setUp('auto', true, { NO_COLOR: '1' });
    reporter.ready(factsOf());
    expect(said.stdout).toMatch(/^Kvasir \d+\.\d+\.\d+\n/);
    expect(said.stdout.split('\n').slice(1, 9)).toEqual([
      'model        tiny (Tiny 1B)',
      'kernels      avx2, 2 threads, a processor',
      'weights      3.0 MiB',
      'KV cache     1.0 GiB, 10,240 tokens: 2.5 sequences of 4,096 tokens',
      'context      4,096 tokens, at most 64 sequences at once',
      'key          none: open to whoever reaches it',
      'metrics      http://127.0.0.1:8000/metrics',
      'listening on http://127.0.0.1:8000',
    ]);
    expect(said.stdout).toMatch(/\n\ncurl http:.*\n\n$/);
  });

  test('an embedding model beside it has a row of its own', () => {
    const { said, reporter } = setUp('text');
    reporter.ready(factsOf({}, both));
    expect(said.stdout).toContain(
      'embeddings   minilm, 1.0 MiB: vectors of 384 numbers, texts of up to 256 tokens\nkey ',
    );
    expect(said.stdout).toContain('/v1/completions');
  });

  test('an embedding model alone has no KV cache, and a curl line that embeds', () => {
    const { said, reporter } = setUp('text');
    reporter.ready(factsOf({}, { name: 'minilm', llm: undefined, embedding: both.embedding }));
    expect(said.stdout.split('\n').slice(1, 6)).toEqual([
      'model        minilm (all-MiniLM-L6-v2)',
      'kernels      avx2, 2 threads, a processor',
      'weights      1.0 MiB',
      'embeddings   vectors of 384 numbers, texts of up to 256 tokens',
      'key          none: open to whoever reaches it',
    ]);
    expect(said.stdout).toContain('/v1/embeddings');
  });

  test('it says which keys are wanted, and where the curl line takes its own from', () => {
    const { said, reporter } = setUp('text');
    reporter.ready(factsOf({ needsKey: true, hasAdminKey: true }));
    expect(said.stdout).toContain('needed by requests; admin routes with the admin key\n');
    expect(said.stdout).toContain('with the key in $KVASIR_API_KEY:\ncurl ');
  });

  test('colours are for terminals', () => {
    const onTerminal = setUp('auto', true);
    onTerminal.reporter.ready(factsOf());
    expect(onTerminal.said.stdout).toContain('\u001b[1mKvasir');
    const piped = setUp('text');
    piped.reporter.ready(factsOf());
    expect(piped.said.stdout).not.toContain('\u001b');
  });

  test('the end is a line on stderr', () => {
    const { said, reporter } = setUp('text');
    reporter.draining('SIGTERM', 1, 30);
    reporter.draining('SIGINT', 2, 1);
    reporter.stopped({ signal: 'SIGTERM', outcome: 'drained', numAborted: 0 });
    reporter.stopped({ signal: 'SIGTERM', outcome: 'timeout', numAborted: 2 });
    reporter.stopped({ signal: 'SIGTERM', outcome: 'forced', numAborted: 1 });
    expect(said).toEqual({
      stdout: '',
      stderr:
        'SIGTERM: letting 1 request end, at most 30 s; once more ends them now\n' +
        'SIGINT: letting 2 requests end, at most 1 s; once more ends them now\n' +
        '2 requests cut off as the time was over\n' +
        '1 request cut off by the second signal\n',
    });
  });

  test('so are reloads and crashes', () => {
    const { said, reporter } = setUp('text');
    reporter.warning('take care');
    reporter.reloaded({ numApiKeys: 1, hasTls: false });
    reporter.reloaded({ numApiKeys: 2, hasTls: true });
    reporter.reloadFailed('there is no key');
    reporter.crashed({ pid: 7, code: null, signal: 'SIGSEGV', restart: 1, maxRestarts: 5, delayMs: 250 });
    reporter.givenUp({ code: 70, signal: null, numRestarts: 5, windowMs: 300_000 });
    expect(said.stderr.split('\n')).toEqual([
      'warning: take care',
      'SIGHUP: read again: 1 API key',
      'SIGHUP: read again: 2 API keys, certificate',
      'SIGHUP: nothing has changed: there is no key',
      'the server crashed (SIGSEGV): starting it again in 0.25 s (restart 1 of 5)',
      'the server crashed (exit code 70) after 5 restarts within 300 s: giving up; its last words say why',
      '',
    ]);
  });
});

test.each([
  ['auto', false],
  ['json', true],
] as const)('for programs (%s, TTY: %s) there is a JSON line an event', (format, isTTY) => {
  const { said, reporter } = setUp(format, isTTY);
  reporter.ready(factsOf());
  reporter.warning('take care');
  reporter.draining('SIGTERM', 2, 30);
  reporter.stopped({ signal: 'SIGTERM', outcome: 'timeout', numAborted: 1 });
  reporter.reloaded({ numApiKeys: 2, hasTls: true });
  reporter.reloadFailed('no key');
  reporter.crashed({ pid: 7, code: null, signal: 'SIGSEGV', restart: 1, maxRestarts: 5, delayMs: 250 });
  reporter.givenUp({ code: null, signal: 'SIGSEGV', numRestarts: 5, windowMs: 300_000 });
  const events = said.stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(events).toMatchObject([
    {
      event: 'ready',
      model: 'tiny',
      kernel_path: 'avx2',
      threads: 2,
      weight_bytes: 3 * 2 ** 20,
      kv_cache_bytes: 2 ** 30,
      kv_capacity_tokens: 10_240,
      max_concurrency: 2.5,
      max_model_len: 4096,
      url: 'http://127.0.0.1:8000',
      metrics_url: 'http://127.0.0.1:8000/metrics',
      needs_key: false,
      has_admin_key: false,
    },
    { event: 'warning', message: 'take care' },
    { event: 'draining', signal: 'SIGTERM', requests: 2, timeout_s: 30 },
    { event: 'stopped', signal: 'SIGTERM', outcome: 'timeout', aborted: 1 },
    { event: 'reloaded', api_keys: 2, tls: true },
    { event: 'reload_failed', reason: 'no key' },
    { event: 'crashed', crashed_pid: 7, exit_code: null, signal: 'SIGSEGV', restart: 1, restart_in_s: 0.25 },
    { event: 'given_up', exit_code: 139, restarts: 5, window_s: 300 },
  ]);
  for (const { time } of events) expect(new Date(time).toISOString()).toBe(time);
  expect(said.stderr).toBe('');
});
