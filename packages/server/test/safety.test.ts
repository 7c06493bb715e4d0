import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { type Json, post, postOk, startServer, until } from './support/client.js';

const bearer = (key: string) => ({ authorization: `Bearer ${key}` });

test('the name of a key is the tenant, and isolates its cache when asked', async () => {
  const apiKeys = ['plain', { key: 'secret', name: 'alice' }];
  const { url, model } = await startServer({}, { apiKeys, isolateTenants: true });
  for (const key of ['plain', 'secret'])
    await (await post(`${url}/v1/completions`, { prompt: 'x' }, bearer(key))).text();
  expect(model.submitted.map(({ tenant }) => tenant)).toEqual([undefined, 'alice']);
  expect(model.submitted[1]?.cacheSalt).toContain('alice');
});

test('keys are replaced while the server runs, never by none', async () => {
  const { url, server } = await startServer({}, { apiKeys: ['old'] });
  const status = async (key: string) => (await fetch(`${url}/version`, { headers: bearer(key) })).status;
  server.setApiKeys(['new']);
  expect([await status('old'), await status('new')]).toEqual([401, 200]);
  expect(() => server.setApiKeys([])).toThrow('there is no API key in the new list');
  expect(await status('new')).toBe(200);
});

test('/metrics without a key names no tenant', async () => {
  const tenants = new Map([
    ['alice', { numRequests: 1, numFinished: 1, promptTokens: 1, cachedPromptTokens: 0, generationTokens: 1 }],
  ]);
  const { url } = await startServer({ numbers: { tenants } }, { apiKeys: ['k'], metricsWithoutKey: true });
  const text = await (await fetch(`${url}/metrics`)).text();
  expect(text).toContain('vllm:num_requests_running');
  expect(text).not.toContain('alice');
  expect((await fetch(`${url}/v1/models`)).status).toBe(401);
});

test('no origin is allowed by default, exact ones when asked, preflights included', async () => {
  const preflight = { origin: 'https://a.example', 'access-control-request-method': 'POST' };
  const ask = async (url: string, headers: Record<string, string>) =>
    fetch(`${url}/v1/completions`, { method: 'OPTIONS', headers });
  const closed = await startServer();
  expect((await ask(closed.url, preflight)).headers.get('access-control-allow-origin')).toBe(null);
  const { url } = await startServer({}, { corsOrigins: ['https://a.example'], apiKeys: ['k'] });
  const allowed = await ask(url, preflight);
  expect([allowed.status, allowed.headers.get('access-control-allow-origin')]).toEqual([204, 'https://a.example']);
  const other = await ask(url, { ...preflight, origin: 'https://b.example' });
  expect(other.headers.get('access-control-allow-origin')).toBe(null);
});

test('a trace goes on, and the log has its ids, the tenant, and prompts only when asked', async () => {
  const lines: Json[] = [];
  const stream = { write: (line: string) => lines.push(JSON.parse(line)) };
  const options = { logger: { level: 'info', stream }, apiKeys: [{ key: 'k', name: 'alice' }], logPrompts: true };
  const { url } = await startServer({}, options);
  lines.length = 0;
  const trace = '0af7651916cd43dd8448eb211c80319c';
  const headers = { ...bearer('k'), traceparent: `00-${trace}-b7ad6b7169203331-01` };
  const response = await post(`${url}/v1/completions`, { prompt: 'question' }, headers);
  await response.text();
  expect(response.headers.get('traceparent')).toMatch(new RegExp(`^00-${trace}-[0-9a-f]{16}-01$`));
  await until(() => lines.length === 1);
  expect(lines[0]).toMatchObject({
    traceId: trace,
    parentSpanId: 'b7ad6b7169203331',
    tenant: 'alice',
    prompt: '"question"',
  });
  const bad = await post(`${url}/v1/completions`, { prompt: 'x' }, { ...bearer('k'), traceparent: '00-0-0-01' });
  expect(bad.headers.get('traceparent')).toBe(null);
  await bad.text();
});

test('limits of cost are the server’s to set', async () => {
  const { url } = await startServer({}, { maxStopStrings: 1, maxStopLength: 3, maxLogitBias: 1, maxChoices: 2 });
  const statusOf = async (body: object) => (await post(`${url}/v1/completions`, { prompt: 'x', ...body })).status;
  expect(await statusOf({ stop: ['a', 'b'] })).toBe(400);
  expect(await statusOf({ stop: 'abcd' })).toBe(400);
  expect(await statusOf({ logit_bias: { 1: 1, 2: 1 } })).toBe(400);
  expect(await statusOf({ n: 3 })).toBe(400);
  expect(await statusOf({ stop: ['abc'], logit_bias: { 1: 1 }, n: 2 })).toBe(200);
});

test('a client that never reads is dropped at the bound of unsent bytes; others notice nothing', async () => {
  const { url, model, server } = await startServer(
    { reply: () => 'y', maxModelLen: 100_000 },
    { maxUnsentBytes: 1 << 18 },
  );
  const body = JSON.stringify({ prompt: 'x', stream: true, max_tokens: 30_000, logprobs: 64, ignore_eos: true });
  const socket = connect(server.address!.port, '127.0.0.1', () => {
    socket.pause();
    socket.write(
      `POST /v1/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    );
  });
  socket.on('error', () => undefined);
  await until(() => model.submitted.length === 1);
  expect((await postOk(`${url}/v1/completions`, { prompt: 'z' })).choices[0].text).toBe('y');
  await until(() => model.aborted.length > 0, 20_000);
  const text = await (await fetch(`${url}/metrics`)).text();
  expect(text).toMatch(/kvasir:clients_lost_total\{[^}]*reason="slow"\} 1\n/);
  expect(text).toMatch(/kvasir:paused_streams\{[^}]*\} 0\n/);
  socket.destroy();
});
