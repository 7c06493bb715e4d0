import { connect, type Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { createServer } from '../src/index.js';
import { expectIdle, jsonOf, post, postOk, readEvents, startServer, until } from './support/client.js';
import { FakeModel } from './support/fake-model.js';

const messages = [{ role: 'user', content: 'hi' }];
const long = () => 'x'.repeat(900);

describe('a client that goes away', () => {
  test.each([true, false])(
    'aborts its request once and frees its blocks within a step (stream: %s)',
    async (stream) => {
      const { url, model } = await startServer({ reply: long, manual: true });
      const controller = new AbortController();
      const response = post(`${url}/v1/chat/completions`, { messages, stream }, {}, controller.signal);
      response.catch(() => undefined);
      await until(() => model.submitted.length === 1);
      model.step();
      model.step();
      if (stream) await response;
      expect(model.stats().numFreeBlocks).toBeLessThan(model.stats().numBlocks);
      controller.abort();
      await until(() => model.aborted.length > 0);
      model.step();
      expectIdle(model);
      await new Promise((resolve) => setTimeout(resolve, 20));
      expect(model.aborted).toEqual([model.submitted[0]!.requestId]);
      expect(model.stats().finished.abort).toBe(1);
    },
  );

  test('aborts every prompt that has not ended, and none that has', async () => {
    const { url, model } = await startServer({ reply: (prompt) => (prompt === 'short' ? '' : long()), manual: true });
    const controller = new AbortController();
    const response = post(
      `${url}/v1/completions`,
      { prompt: ['short', 'a', 'b'], max_tokens: 500 },
      {},
      controller.signal,
    );
    response.catch(() => undefined);
    await until(() => model.submitted.length === 3);
    model.step();
    model.step();
    await new Promise((resolve) => setTimeout(resolve, 20));
    controller.abort();
    await until(() => model.aborted.length > 0);
    model.step();
    expectIdle(model);
    expect(model.aborted).toEqual(model.submitted.slice(1).map(({ requestId }) => requestId));
  });

  test('while its body is still coming leaves nothing behind', async () => {
    const { url, model } = await startServer();
    const { port } = new URL(url);
    const socket = connect(Number(port), '127.0.0.1', () => {
      socket.write(
        'POST /v1/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{"pro',
      );
      setTimeout(() => socket.destroy(), 20);
    });
    await new Promise((resolve) => socket.on('close', resolve));
    expect((await postOk(`${url}/v1/completions`, { prompt: 'x' })).choices).toHaveLength(1);
    expect(model.submitted).toHaveLength(1);
    expectIdle(model);
  });
});

describe('a client that does not read', () => {
  /** Sends a streaming request and stops reading after the first bytes. */
  function slowReader(url: string, body: unknown) {
    const { port } = new URL(url);
    const json = JSON.stringify(body);
    let received = '';
    const socket = connect(Number(port), '127.0.0.1', () => {
      socket.write(
        `POST /v1/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${json.length}\r\n\r\n${json}`,
      );
    });
    socket.once('data', () => socket.pause());
    socket.on('data', (bytes) => {
      received += bytes.toString();
    });
    return { socket, text: () => received };
  }

  const heavy = { prompt: 'x', stream: true, max_tokens: 15_000, logprobs: 64, ignore_eos: true };

  test('holds a bounded buffer, and gets everything once it reads again', async () => {
    const { url, model, server } = await startServer({ reply: () => 'y', maxModelLen: 100_000, manual: true });
    const sockets: Socket[] = [];
    server.fastify.server.on('connection', (socket) => sockets.push(socket));
    const reader = slowReader(url, heavy);
    await until(() => model.submitted.length === 1);
    let largest = 0;
    for (let i = 0; i < heavy.max_tokens; i++) {
      model.step();
      // Each token is about 1 KB of JSON; the kernel takes a few MB before it refuses more.
      if (i % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
      largest = Math.max(largest, sockets[0]!.writableLength);
    }
    expectIdle(model);
    expect(largest).toBeGreaterThan(0);
    expect(largest).toBeLessThan(1 << 20);
    reader.socket.resume();
    await until(() => reader.text().includes('[DONE]'), 15_000);
    expect(reader.text().match(/"finish_reason":"length"/g)).toHaveLength(1);
    reader.socket.destroy();
  });

  test('is dropped and aborted when it takes nothing for too long', async () => {
    const { url, model } = await startServer({ reply: () => 'y', maxModelLen: 100_000 }, { stallTimeoutMs: 100 });
    const reader = slowReader(url, heavy);
    await until(() => model.aborted.length > 0, 15_000);
    await until(() => model.stats().numRunning === 0);
    expectIdle(model);
    reader.socket.destroy();
  });
});

describe('a full queue', () => {
  test('is a 429 with retry-after', async () => {
    const { url, model } = await startServer({ maxQueued: 1, manual: true, reply: () => 'a' });
    const first = post(`${url}/v1/completions`, { prompt: 'x' });
    await until(() => model.submitted.length === 1);
    const response = await post(`${url}/v1/completions`, { prompt: 'y' });
    expect([response.status, response.headers.get('retry-after')]).toEqual([429, '1']);
    expect((await jsonOf(response)).error).toMatchObject({ type: 'rate_limit_error', code: 'queue_full', param: null });
    model.step();
    model.step();
    expect((await first).status).toBe(200);
  });

  test('with several prompts takes all or none', async () => {
    const { url, model } = await startServer({ maxQueued: 2 });
    const response = await post(`${url}/v1/completions`, { prompt: ['a', 'b', 'c'] });
    expect(response.status).toBe(429);
    await response.text();
    await until(() => model.stats().numRunning === 0);
    expect(model.aborted).toEqual(model.submitted.map(({ requestId }) => requestId));
    expectIdle(model);
  });
});

describe('closing', () => {
  test('lets running requests end, and refuses new ones', async () => {
    const { url, model, server } = await startServer({ reply: () => 'abc', manual: true });
    const running = post(`${url}/v1/completions`, { prompt: 'x', stream: true });
    await until(() => model.submitted.length === 1);
    model.step();
    const response = await running;
    const closing = server.close({ drainTimeoutMs: 5000 });
    const ready = await fetch(`${url}/ready`);
    expect([ready.status, await ready.json()]).toEqual([503, { status: 'draining' }]);
    expect((await fetch(`${url}/health`)).status).toBe(200);
    const refused = await post(`${url}/v1/completions`, { prompt: 'y' });
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '5']);
    expect((await jsonOf(refused)).error.code).toBe('shutting_down');
    for (let i = 0; i < 5; i++) model.step();
    expect((await readEvents(response)).map((event) => event.choices[0].text).join('')).toBe('abc');
    await closing;
    await expect(fetch(`${url}/health`)).rejects.toThrow();
  });

  test('aborts what does not end in time', async () => {
    const { url, model, server } = await startServer({ reply: long, manual: true });
    const streamed = post(`${url}/v1/completions`, { prompt: 'x', stream: true });
    const whole = post(`${url}/v1/completions`, { prompt: 'x' });
    await until(() => model.submitted.length === 2);
    model.step();
    const response = await streamed;
    const started = performance.now();
    await server.close({ drainTimeoutMs: 50 });
    expect(performance.now() - started).toBeLessThan(2000);
    expect((await whole).status).toBe(503);
    expect(await response.text()).toContain('"code":"generation_aborted"');
    model.step();
    expectIdle(model);
  });

  test('does not wait for a client that does not read', async () => {
    const { url, model, server } = await startServer({ reply: () => 'y', maxModelLen: 100_000 });
    const response = await post(`${url}/v1/completions`, {
      prompt: 'x',
      stream: true,
      max_tokens: 90_000,
      logprobs: 20,
      ignore_eos: true,
    });
    await until(() => model.stats().numRunning === 1);
    await new Promise((resolve) => setTimeout(resolve, 300));
    await server.close({ drainTimeoutMs: 0 });
    await response.body?.cancel().catch(() => undefined);
    await until(() => model.stats().numRunning === 0);
    expectIdle(model);
  });

  test('again, with less patience, aborts at once', async () => {
    const { url, model, server } = await startServer({ reply: long, manual: true });
    const whole = post(`${url}/v1/completions`, { prompt: 'x' });
    await until(() => model.submitted.length === 1);
    const started = performance.now();
    const patient = server.close({ drainTimeoutMs: 60_000 });
    await Promise.all([patient, server.close({ drainTimeoutMs: 0 })]);
    expect(performance.now() - started).toBeLessThan(2000);
    expect((await whole).status).toBe(503);
  });

  test('waits for no request that came by inject and is answered', async () => {
    const server = createServer(new FakeModel());
    const response = await server.fastify.inject({ method: 'POST', url: '/v1/completions', payload: { prompt: 'x' } });
    expect(response.statusCode).toBe(200);
    const started = performance.now();
    await server.close({ drainTimeoutMs: 60_000 });
    expect(performance.now() - started).toBeLessThan(2000);
  });

  test('twice is once', async () => {
    const { server } = await startServer();
    await Promise.all([server.close(), server.close({ drainTimeoutMs: 0 })]);
  });
});
