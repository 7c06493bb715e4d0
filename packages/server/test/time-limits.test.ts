import { connect } from 'node:net';
import { describe, expect, test } from 'vitest';
import { expectIdle, jsonOf, post, sendRaw, startServer, until } from './support/client.js';

const patient = 600_000;
const head = 'POST /v1/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 14\r\n';

/** Time from connecting until the server has closed, and what it said. */
async function timeToEnd(url: string, text: string): Promise<{ readonly ms: number; readonly answer: string }> {
  const started = performance.now();
  const answer = await sendRaw(url, text);
  return { ms: performance.now() - started, answer };
}

describe('time limits', () => {
  test('a head that does not arrive is a 408, long before its request would be late', async () => {
    const { url, model } = await startServer({}, { headersTimeoutMs: 100, requestTimeoutMs: patient });
    const { ms, answer } = await timeToEnd(url, head);
    expect(answer).toMatch(/^HTTP\/1\.1 408 .*"code":"request_timeout"/s);
    expect(ms).toBeGreaterThan(90);
    expect(ms).toBeLessThan(5000);
    expect(model.submitted).toEqual([]);
  });

  test('one that comes byte by byte is late too, and nobody waits for it', async () => {
    const { url, server } = await startServer({}, { headersTimeoutMs: 200, requestTimeoutMs: patient });
    let answer = '';
    const socket = connect(server.address!.port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.on('data', (bytes) => {
      answer += bytes.toString();
    });
    const bytes = [...head];
    const timer = setInterval(() => socket.write(bytes.shift() ?? 'x'), 20);
    const isClosed = new Promise((resolve) => socket.once('close', resolve));
    expect((await fetch(`${url}/health`)).status).toBe(200);
    await isClosed;
    clearInterval(timer);
    expect(answer).toMatch(/^HTTP\/1\.1 408 /);
  });

  test('a head in time may take longer with its body, until that is late', async () => {
    const { url } = await startServer({}, { headersTimeoutMs: 100, requestTimeoutMs: 400 });
    const { ms, answer } = await timeToEnd(url, `${head}\r\n{"prompt"`);
    expect(answer).toMatch(/^HTTP\/1\.1 408 /);
    expect(ms).toBeGreaterThan(390);
  });

  test('0 for the head is what the request has', async () => {
    const { url } = await startServer({}, { headersTimeoutMs: 0, requestTimeoutMs: 100 });
    expect((await timeToEnd(url, head)).answer).toMatch(/^HTTP\/1\.1 408 /);
  });

  test('a connection is kept for the next request, and closed when none comes', async () => {
    const { url } = await startServer({}, { keepAliveTimeoutMs: 150 });
    const ask = 'GET /health HTTP/1.1\r\nhost: x\r\n\r\n';
    const { ms, answer } = await timeToEnd(url, ask + ask);
    expect(answer.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(2);
    expect(answer).toMatch(/^Connection: keep-alive\r$/m);
    expect(ms).toBeGreaterThan(140);
    expect(ms).toBeLessThan(10_000);
  });

  test('a connection beyond the most is closed', async () => {
    const { url, server } = await startServer({}, { maxConnections: 1 });
    const first = connect(server.address!.port, '127.0.0.1');
    await new Promise((resolve) => first.once('connect', resolve));
    await expect(fetch(`${url}/health`)).rejects.toThrow();
    first.destroy();
    await expect.poll(async () => (await fetch(`${url}/health`).catch(() => undefined))?.status).toBe(200);
  });
});

describe('a shutdown', () => {
  test('waits for a request whose body is still on its way', async () => {
    const { model, server } = await startServer({ reply: () => 'abc' });
    let answer = '';
    const socket = connect(server.address!.port, '127.0.0.1', () => socket.write(`${head}\r\n`));
    socket.on('data', (bytes) => {
      answer += bytes.toString();
    });
    const arrived = new Promise((resolve) => server.fastify.server.once('request', resolve));
    await arrived;
    const closing = server.close({ drainTimeoutMs: 10_000 });
    await new Promise((resolve) => setTimeout(resolve, 50));
    socket.write('{"prompt":"x"}');
    expect(await closing).toEqual({ numAborted: 0 });
    await until(() => answer.includes('"text":"abc"'));
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK/);
    expectIdle(model);
  });

  test('says how many it cut off, and tells them why; an admin that ends one is another reason', async () => {
    const { url, model, server } = await startServer(
      { reply: () => 'x'.repeat(500), manual: true },
      { adminKey: 'boss' },
    );
    const first = post(`${url}/v1/completions`, { prompt: 'x', request_id: 'first' });
    const others = ['y', 'z'].map((prompt) => post(`${url}/v1/completions`, { prompt }));
    await until(() => model.submitted.length === 3);
    await post(`${url}/abort_requests`, { request_ids: ['cmpl-first'] }, { authorization: 'Bearer boss' });
    model.step();
    expect((await jsonOf(await first)).error.message).toBe(
      'the request was aborted by an administrator; ask them before you send it again',
    );
    expect(await server.close({ drainTimeoutMs: 10 })).toEqual({ numAborted: 2 });
    for (const other of others) {
      expect((await jsonOf(await other)).error).toMatchObject({
        code: 'generation_aborted',
        message: expect.stringContaining('the server shuts down and could not wait until the request was done'),
      });
    }
    model.step();
    expectIdle(model);
  });
});
