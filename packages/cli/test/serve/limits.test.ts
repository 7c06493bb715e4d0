import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { limitFlags } from '../../src/serve/limit-flags.js';
import { realModelPath } from '../support/real-model.js';
import { SpawnedKvasir } from '../support/spawn-kvasir.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { writeTinyModel } from '../support/tiny-checkpoint.js';

const TEMPLATE = "{% for message in messages %}<|im_start|>{{ message['content'] }}{% endfor %}";
/** Limits so low that one request each reaches them. */
const LOW: Readonly<Record<string, string>> = {
  'max-logprobs': '20',
  'max-prompts': '2',
  'max-n': '8',
  'max-logit-bias': '1',
  'max-stop-strings': '1',
  'max-stop-length': '3',
  'max-embedding-inputs': '3',
  'max-embedding-tokens': '20',
  'max-input-characters': '100',
  'template-timeout-ms': '1',
  'max-body-bytes': '4k',
  'max-header-bytes': '2k',
  'max-json-depth': '4',
  'headers-timeout-ms': '300',
  'request-timeout-ms': '600',
  'keep-alive-timeout-ms': '200',
  'stall-timeout-ms': '1000',
  'max-unsent-bytes': '64k',
  'max-connections': '20',
};

let server: SpawnedKvasir;
let url: string;
beforeAll(async () => {
  const tiny = join(temporaryFolder(), 'tiny.gguf');
  await writeTinyModel(tiny, { 'tokenizer.chat_template': TEMPLATE, 'llama.context_length': 4096 });
  const limits = Object.entries(LOW).flatMap(([name, value]) => [`--${name}`, value]);
  const models = [tiny, '--embedding-model', realModelPath('minilm')];
  server = new SpawnedKvasir(['serve', ...models, '--port', '0', '--trust-request-chat-template', ...limits], {});
  url = await server.url();
});
afterAll(() => server.kill('SIGKILL'));

const statusOf = async (body: object | string, headers: Record<string, string> = {}, path = '/v1/completions') => {
  const response = await fetch(url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  const json = (await response.json()) as { error?: { code: string; param: string | null; message: string } };
  return [response.status, json.error?.param ?? json.error?.code];
};

/** Sends text, and what comes until the server closes. */
const sendRaw = (text: string) =>
  new Promise<string>((resolve) => {
    let answer = '';
    const socket = connect(Number(new URL(url).port), '127.0.0.1', () => socket.write(text));
    socket.on('data', (bytes) => {
      answer += bytes.toString();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(answer));
  });

describe('limits of the command line', () => {
  test('are all tried here', () => {
    expect(Object.keys(LOW).toSorted()).toEqual(limitFlags.map(({ name }) => name).toSorted());
  });

  test.each([
    ['within all of them', { n: 8, stop: 'abc', logit_bias: { 3: 1 }, logprobs: 20 }, [200, undefined]],
    ['--max-logprobs', { logprobs: 21 }, [400, 'logprobs']],
    ['--max-prompts', { prompt: ['a', 'b', 'c'] }, [400, 'prompt']],
    ['--max-n for n', { n: 9 }, [400, 'n']],
    ['--max-n for best_of', { best_of: 9 }, [400, 'best_of']],
    ['--max-logit-bias', { logit_bias: { 3: 1, 4: 1 } }, [400, 'logit_bias']],
    ['--max-stop-strings', { stop: ['a', 'b'] }, [400, 'stop']],
    ['--max-stop-length', { stop: 'abcd' }, [400, 'stop']],
    ['--max-body-bytes', { user: 'x'.repeat(5000) }, [413, 'body_too_large']],
    ['--max-json-depth', { metadata: [[[[[]]]]] }, [400, 'invalid_json']],
  ])('%s', async (_name, fields, expected) => {
    expect(await statusOf({ prompt: 'abc', max_tokens: 2, ...fields })).toEqual(expected);
  });

  test.each([
    ['within all of them', { input: ['one', 'two', 'three'] }, [200, undefined]],
    ['--max-embedding-inputs', { input: ['a', 'b', 'c', 'd'] }, [400, 'input']],
    ['--max-embedding-tokens', { input: 'a '.repeat(19) }, [400, 'input']],
    ['--max-input-characters', { input: 'a'.repeat(101) }, [400, 'input']],
  ])('%s of embeddings', async (_name, fields, expected) => {
    expect(await statusOf(fields, {}, '/v1/embeddings')).toEqual(expected);
  });

  test('--max-header-bytes', async () => {
    expect(await sendRaw(`GET /health HTTP/1.1\r\nhost: x\r\nx: ${'y'.repeat(3000)}\r\n\r\n`)).toMatch(
      /^HTTP\/1\.1 431 /,
    );
  });

  test('--template-timeout-ms', async () => {
    const chat_template = '{% for a in range(1000) %}{% for b in range(1000) %}{{ a }}{% endfor %}{% endfor %}';
    const body = { messages: [{ role: 'user', content: 'a' }], chat_template };
    const [status] = await statusOf(body, {}, '/v1/chat/completions');
    expect([400, 503]).toContain(status);
  });

  test('--headers-timeout-ms, --request-timeout-ms and --keep-alive-timeout-ms', async () => {
    const head = 'POST /v1/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 9\r\n';
    const timed = async (text: string) => {
      const started = performance.now();
      return { answer: await sendRaw(text), ms: performance.now() - started };
    };
    const [late, slow, idle] = await Promise.all([
      timed(head),
      timed(`${head}\r\n{`),
      timed('GET /health HTTP/1.1\r\nhost: x\r\n\r\n'),
    ]);
    expect(late.answer).toMatch(/^HTTP\/1\.1 408 /);
    expect(slow.answer).toMatch(/^HTTP\/1\.1 408 /);
    expect(slow.ms).toBeGreaterThan(590);
    expect(idle.answer).toMatch(/^HTTP\/1\.1 200 /);
    expect(idle.ms).toBeLessThan(20_000);
  });

  test('--max-unsent-bytes, or --stall-timeout-ms, drops a client that never reads, and what it held is free', async () => {
    // Some 12 KB a step: more than the system takes for a socket, long before the end.
    const many = { max_tokens: 4000, ignore_eos: true, stream: true, n: 8, logprobs: 20 };
    const body = JSON.stringify({ prompt: 'abc', ...many });
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    socket.pause();
    socket.on('error', () => undefined);
    socket.write(
      `POST /v1/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    );
    const metrics = async () => (await fetch(`${url}/metrics`)).text();
    await expect.poll(metrics, { timeout: 30_000 }).toMatch(/^kvasir:clients_lost_total\{.*reason="slow"\} 1$/m);
    await expect.poll(metrics, { timeout: 20_000 }).toMatch(/^vllm:num_requests_running\{.*\} 0$/m);
    const text = await metrics();
    expect(text).toMatch(/^kvasir:paused_streams\{.*\} 0$/m);
    expect(text).toMatch(/^vllm:request_success_total\{.*finished_reason="abort"\} 1$/m);
    expect(await statusOf({ prompt: 'abc', max_tokens: 2 })).toEqual([200, undefined]);
    socket.destroy();
  }, 60_000);

  test('--max-connections', async () => {
    const sockets = Array.from({ length: 30 }, () => connect(Number(new URL(url).port), '127.0.0.1'));
    let numClosed = 0;
    for (const socket of sockets) {
      socket.on('error', () => undefined);
      socket.once('close', () => numClosed++);
    }
    await expect.poll(() => numClosed, { timeout: 20_000 }).toBeGreaterThanOrEqual(10);
    for (const socket of sockets) socket.destroy();
  });
});
