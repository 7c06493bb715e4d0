import type { KvCacheEvent } from '@kvasir/interfaces';
import { expect, test } from 'vitest';
import { expectIdle, jsonOf, post, startServer, until } from './support/client.js';
import { checkEvent } from './support/conformance.js';

const admin = { authorization: 'Bearer boss' };
const options = { adminKey: 'boss', apiKeys: ['user'] };
const user = { authorization: 'Bearer user' };
const ROUTES = [
  ['POST', '/reset_prefix_cache'],
  ['POST', '/abort_requests'],
  ['GET', '/server_info'],
] as const;

/** Data of the first `count` events. */
async function firstEvents(response: Response, count: number): Promise<unknown[]> {
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  while (text.split('data: ').length <= count || !text.endsWith('\n\n')) text += (await reader.read()).value;
  await reader.cancel();
  const events = [...text.matchAll(/^data: (.*)$/gm)].map((match) => JSON.parse(match[1]!) as unknown);
  for (const event of events) await checkEvent(response, event);
  return events;
}

test.each(ROUTES)('%s %s is not served without an admin key', async (method, path) => {
  const { url } = await startServer();
  const response = await fetch(url + path, { method });
  const { error } = (await response.json()) as { error: { code: string } };
  expect([response.status, error.code]).toEqual([404, 'unknown_url']);
});

test.each(ROUTES)('%s %s wants the admin key, and no other', async (method, path) => {
  const { url, model } = await startServer({}, options);
  for (const headers of [{}, user]) {
    const response = await fetch(url + path, { method, headers });
    expect([response.status, (await jsonOf(response)).error.code]).toEqual([401, 'invalid_api_key']);
  }
  expect(model.numResets).toBe(0);
  const response = await fetch(url + path, { method, headers: admin });
  await jsonOf(response);
  expect(response.status).toBe(200);
});

test('the admin key opens nothing else', async () => {
  const { url } = await startServer({}, options);
  expect((await fetch(`${url}/v1/models`, { headers: admin })).status).toBe(401);
});

test('reset_prefix_cache resets it, with a body or without', async () => {
  const { url, model } = await startServer({}, options);
  expect(await jsonOf(await fetch(`${url}/reset_prefix_cache`, { method: 'POST', headers: admin }))).toEqual({
    reset: true,
  });
  expect(await jsonOf(await post(`${url}/reset_prefix_cache`, {}, admin))).toEqual({ reset: true });
  expect(model.numResets).toBe(2);
});

test('server_info has limits and numbers, and no keys', async () => {
  const { url } = await startServer({}, options);
  const info = await jsonOf(await fetch(`${url}/server_info`, { headers: admin }));
  expect(info).toMatchObject({
    state: 'ready',
    models: ['fake'],
    limits: { max_model_len: 1000, max_logprobs: 64 },
    options: { has_api_keys: true, max_prompts: 128 },
    stats: { num_running: 0, num_blocks: 4096 },
    device: { kernel_path: 'none', num_threads: 1 },
    memory: { weight_bytes: 1, kv_cache_bytes: 2 },
    numerics_id: 'fake-1',
  });
  expect(JSON.stringify(info)).not.toMatch(/boss|"user"/);
});

test('abort_requests ends what it names: by answer, by request_id, by X-Request-Id, or everything', async () => {
  const { url, model } = await startServer({ reply: () => 'x'.repeat(100), manual: true }, options);
  const start = (fields: object, headers: Record<string, string>) =>
    post(`${url}/v1/completions`, { prompt: ['a', 'b'], n: 2, max_tokens: 50, ...fields }, { ...user, ...headers });
  const running = [
    start({ request_id: 'one' }, {}),
    start({}, { 'x-request-id': 'two' }),
    start({ request_id: 'three' }, {}),
    start({ request_id: 'four' }, {}),
  ];
  await expect.poll(() => model.submitted.length).toBe(8);
  const abort = async (body: unknown) =>
    (await jsonOf(await post(`${url}/abort_requests`, body, admin))).aborted as string[];
  expect(await abort({ request_ids: ['nobody'] })).toEqual([]);
  expect(await abort({ request_ids: ['one'] })).toEqual(['cmpl-one']);
  expect(await abort({ request_ids: ['two', 'cmpl-three'] })).toHaveLength(2);
  for (const response of await Promise.all(running.slice(0, 3))) {
    expect([response.status, (await jsonOf(response)).error.code]).toEqual([503, 'generation_aborted']);
  }
  await expect.poll(async () => (await abort({})).length).toBe(1);
  expect((await running[3]!).status).toBe(503);
  model.step();
  expectIdle(model);
});

test('kv_events tells what the cache does, and stops with its reader', async () => {
  const { url, model } = await startServer({}, options);
  expect((await fetch(`${url}/kv_events`)).status).toBe(401);
  const response = await fetch(`${url}/kv_events`, { headers: admin });
  expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
  await expect.poll(() => model.kvListeners.size).toBe(1);
  const hashes = ['ab', 'cd'];
  const events: readonly KvCacheEvent[] = [
    { type: 'stored', tier: 'pool', group: 0, hashes, blockSize: 2, parentHash: 'x', tokenIds: [1, 2, 3, 4] },
    { type: 'removed', tier: 'host', group: 1, hashes },
    { type: 'cleared', tier: 'pool' },
  ];
  for (const event of events) for (const listener of model.kvListeners) listener(event);
  expect(await firstEvents(response, 3)).toEqual([
    { type: 'stored', tier: 'pool', group: 0, hashes, block_size: 2, parent_hash: 'x', token_ids: [1, 2, 3, 4] },
    events[1],
    events[2],
  ]);
  await expect.poll(() => model.kvListeners.size).toBe(0);
});

test('a reader of kv_events that does not read is cut off', async () => {
  const { url, model } = await startServer({}, options);
  const response = await fetch(`${url}/kv_events`, { headers: admin });
  await expect.poll(() => model.kvListeners.size).toBe(1);
  const tokenIds = Array.from({ length: 100_000 }, (_, i) => i);
  const event: KvCacheEvent = { type: 'stored', tier: 'pool', group: 0, hashes: ['a'], blockSize: 16, tokenIds };
  // Loopback sockets take megabytes before they push back.
  await until(() => {
    for (const listener of model.kvListeners) listener(event);
    return model.kvListeners.size === 0;
  });
  await expect(response.text()).rejects.toThrow();
});

test('abort_requests refuses what are no ids', async () => {
  const { url } = await startServer({}, options);
  const response = await post(`${url}/abort_requests`, { request_ids: 'one' }, admin);
  expect([response.status, (await jsonOf(response)).error.param]).toEqual([400, 'request_ids']);
});

test('ping answers without a body, to GET and POST', async () => {
  const { url, model } = await startServer();
  for (const method of ['GET', 'POST']) {
    const response = await fetch(`${url}/ping`, { method });
    expect([response.status, await response.text()]).toEqual([200, '']);
  }
  model.failure = new Error('broken');
  expect((await fetch(`${url}/ping`)).status).toBe(503);
});
