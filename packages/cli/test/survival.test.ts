import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadRealModel, type Served, serveModel } from './support/real-model.js';

/** Bodies that must be refused, each with its status. */
const BAD_BODIES: readonly (readonly [path: string, body: string | object, status: number])[] = [
  ['/v1/completions', '', 400],
  ['/v1/completions', '{"prompt": "x"', 400],
  ['/v1/completions', '[]', 400],
  ['/v1/completions', '['.repeat(50_000), 400],
  ['/v1/completions', {}, 400],
  ['/v1/completions', { prompt: 7 }, 400],
  ['/v1/completions', { prompt: [] }, 400],
  ['/v1/completions', { prompt: [-1] }, 400],
  ['/v1/completions', { prompt: [49_152] }, 400],
  ['/v1/completions', { prompt: [1.5] }, 400],
  ['/v1/completions', { prompt: 'x', max_tokens: -1 }, 400],
  ['/v1/completions', { prompt: 'x', max_tokens: 1e9 }, 400],
  ['/v1/completions', { prompt: 'x', temperature: -1 }, 400],
  ['/v1/completions', { prompt: 'x', top_p: 0 }, 400],
  ['/v1/completions', { prompt: 'x', logprobs: 1e6 }, 400],
  ['/v1/completions', { prompt: 'x', n: 0 }, 400],
  ['/v1/completions', { prompt: 'x', n: 3, best_of: 2 }, 400],
  ['/v1/completions', { prompt: 'x', max_token: 3 }, 400],
  ['/v1/completions', { prompt: 'x', model: 'gpt-4' }, 404],
  ['/v1/completions', { prompt: 'word '.repeat(300) }, 400],
  ['/v1/completions', { prompt: 'word '.repeat(500_000) }, 400],
  ['/v1/completions', { prompt: Array.from({ length: 256 }, () => 5) }, 400],
  ['/v1/completions', { prompt: ['fine', 'word '.repeat(300)] }, 400],
  ['/v1/chat/completions', { messages: [] }, 400],
  ['/v1/chat/completions', { messages: [{ role: 'robot', content: 'x' }] }, 400],
  ['/v1/chat/completions', { messages: [{ role: 'user', content: 'word '.repeat(300) }] }, 400],
  ['/v1/chat/completions', { messages: [{ role: 'user', content: 'x' }], tools: [{}] }, 400],
  ['/v1/chat/completions', { messages: [{ role: 'user', content: 'x' }], top_logprobs: 2 }, 400],
  ['/tokenize', { prompt: null }, 400],
  ['/detokenize', { tokens: [1e9] }, 400],
];

describe('a served model after a burst of everything that goes wrong', { timeout: 120_000 }, () => {
  let served: Served;
  beforeAll(async () => {
    served = await serveModel(await loadRealModel('smollm2', { maxModelLen: 256, maxNumSeqs: 8 }));
  }, 60_000);
  afterAll(() => served.close());

  const ask = async () => {
    const { status, body } = await served.post('/v1/completions', {
      prompt: 'The capital of France is',
      max_tokens: 8,
      temperature: 0,
    });
    return { status, text: (body as { choices: { text: string }[] }).choices[0]?.text };
  };

  const refuse = async ([path, body]: (typeof BAD_BODIES)[number]) => {
    const response = await fetch(served.url + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
    const { error } = (await response.json()) as { error?: { message: string } };
    expect(error?.message).toMatch(/\S/);
    return response.status;
  };

  /** Starts a stream and closes the socket after `readBytes` bytes of the answer; 0 does not wait for any. */
  const hangUp = async (readBytes: number) => {
    const { hostname, port } = new URL(served.url);
    const socket = connect(Number(port), hostname);
    await once(socket, 'connect');
    const body = JSON.stringify({ prompt: 'Once upon a time', max_tokens: 240, ignore_eos: true, stream: true });
    socket.write(
      `POST /v1/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    );
    for (let seen = 0; seen < readBytes; ) seen += ((await once(socket, 'data')) as [Buffer])[0].length;
    socket.destroy();
  };

  /** A body that never arrives in full. */
  const breakOff = async () => {
    const { hostname, port } = new URL(served.url);
    const socket = connect(Number(port), hostname);
    await once(socket, 'connect');
    socket.write(
      'POST /v1/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{"pr',
    );
    await new Promise((resolve) => setTimeout(resolve, 20));
    socket.destroy();
  };

  test('answers as before, is whole, and holds no block', async () => {
    const { engine } = served.llm;
    const before = await ask();
    expect(before.status).toBe(200);
    for (let round = 0; round < 3; round++) {
      const good = Array.from({ length: 4 }, ask);
      const statuses = await Promise.all([
        ...BAD_BODIES.map(refuse),
        ...[0, 1, 400, 2000].map(hangUp),
        ...Array.from({ length: 4 }, breakOff),
      ]);
      expect(statuses.slice(0, BAD_BODIES.length)).toEqual(BAD_BODIES.map(([, , status]) => status));
      for (const answer of await Promise.all(good)) expect(answer).toEqual(before);
    }
    expect(await ask()).toEqual(before);
    await expect.poll(() => engine.stats()).toMatchObject({ numRunning: 0, numWaiting: 0 });
    engine.checkIntegrity();
    const { numBlocks, numFreeBlocks, numFailedSteps, finished } = engine.stats();
    expect(numFreeBlocks).toBe(numBlocks);
    expect(numFailedSteps).toBe(0);
    expect(finished.abort).toBeGreaterThan(0);
    expect(finished.error).toBe(0);
  });
});
