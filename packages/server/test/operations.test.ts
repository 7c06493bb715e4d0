import { describe, expect, test } from 'vitest';
import manifest from '../package.json' with { type: 'json' };
import { createServer, type KvasirServerOptions } from '../src/index.js';
import { type Json, post, postOk, startServer } from './support/client.js';
import { FakeModel } from './support/fake-model.js';

const get = async (url: string): Promise<Json> => (await fetch(url)).json();

describe('models', () => {
  test('are listed under every served name', async () => {
    const { url } = await startServer({}, { servedModelNames: ['org/one', 'two'] });
    const list = await get(`${url}/v1/models`);
    expect(list.object).toBe('list');
    expect(list.data.map((model: Json) => model.id)).toEqual(['org/one', 'two']);
    expect(list.data[0]).toEqual({
      id: 'org/one',
      object: 'model',
      created: expect.any(Number),
      owned_by: 'kvasir',
      root: 'fake',
      parent: null,
      max_model_len: 1000,
    });
  });

  test('are found by id, slashes and all', async () => {
    const { url } = await startServer({}, { servedModelNames: ['org/one'] });
    expect((await get(`${url}/v1/models/org/one`)).id).toBe('org/one');
    expect((await get(`${url}/v1/models/org%2Fone`)).id).toBe('org/one');
  });

  test('answer with the name that was asked for', async () => {
    const { url } = await startServer({}, { servedModelNames: ['one', 'two'] });
    const ask = async (model?: string) => (await postOk(`${url}/v1/completions`, { model, prompt: 'x' })).model;
    expect([await ask('two'), await ask()]).toEqual(['two', 'one']);
  });
});

describe('health, readiness and version', () => {
  test('a listening server is healthy and ready', async () => {
    const { url } = await startServer();
    expect(await get(`${url}/health`)).toEqual({ status: 'ok' });
    expect(await get(`${url}/ready`)).toEqual({ status: 'ready' });
    expect(await get(`${url}/version`)).toEqual({ version: manifest.version });
  });

  test('before listen it is not ready', async () => {
    const server = createServer(new FakeModel());
    const response = await server.fastify.inject('/ready');
    expect([response.statusCode, response.json()]).toEqual([503, { status: 'starting' }]);
    await server.close();
  });

  test('a broken engine is neither', async () => {
    const { url, model } = await startServer();
    model.failure = new Error('the backend is gone');
    expect((await fetch(`${url}/ready`)).status).toBe(503);
    const response = await fetch(`${url}/health`);
    expect([response.status, await response.json()]).toEqual([
      503,
      { status: 'failed', reason: 'the backend is gone' },
    ]);
  });

  test('the version can be set', async () => {
    const { url } = await startServer({}, { version: '9.9.9' });
    expect(await get(`${url}/version`)).toEqual({ version: '9.9.9' });
  });
});

describe('tokens', () => {
  test('of a prompt', async () => {
    const { url } = await startServer();
    expect(await postOk(`${url}/tokenize`, { prompt: 'hé' })).toEqual({
      count: 4,
      max_model_len: 1000,
      tokens: [256, 104, 195, 169],
      token_strs: null,
    });
    const bare = { model: 'fake', prompt: 'h', add_special_tokens: false, return_token_strs: true };
    expect(await postOk(`${url}/tokenize`, bare)).toMatchObject({ tokens: [104], token_strs: ['h'] });
  });

  test('of messages', async () => {
    const { url, model } = await startServer();
    const messages = [{ role: 'user', content: 'x' }];
    const decode = (body: Json) => model.tokenizer.decode(body.tokens, { skipSpecialTokens: false });
    expect(decode(await postOk(`${url}/tokenize`, { messages }))).toBe('user:x\nassistant:');
    const bare = { messages, add_generation_prompt: false, add_special_tokens: true };
    expect(decode(await postOk(`${url}/tokenize`, bare))).toBe('<s>user:x\n');
  });

  test('and back', async () => {
    const { url } = await startServer();
    expect(await postOk(`${url}/detokenize`, { tokens: [256, 104, 195, 169] })).toEqual({ prompt: '<s>hé' });
    expect(await postOk(`${url}/detokenize`, { tokens: [] })).toEqual({ prompt: '' });
  });
});

describe('options', () => {
  test.each([
    [{ maxLogprob: 3 }, 'server option maxLogprob is not known; did you mean maxLogprobs?'],
    [{ maxBodyBytes: 0 }, 'server option maxBodyBytes is 0, expected an integer from 1 to 1073741824'],
    [{ apiKeys: ['secret', ' '] }, 'server option apiKeys has a blank entry, expected text; remove it'],
    [
      { apiKeys: [{ key: 'k', name: 'a b' }] },
      "server option apiKeys names a key 'a b', expected 1 to 64 letters, digits and _ . @ -",
    ],
    [{ maxLogitBias: 4096 }, 'server option maxLogitBias is 4096, expected an integer from 0 to 2048'],
    [
      { stallTimeoutMs: 2 ** 31 },
      'server option stallTimeoutMs is 2147483648, expected an integer from 1 to 2147483647',
    ],
    [
      { corsOrigins: ['https://a.example/'] },
      "server option corsOrigins has 'https://a.example/', expected an origin like https://app.example or *",
    ],
    [{ tls: { cert: 'x', key: 'y' } }, 'certificate and key cannot be used ('],
    [{ servedModelNames: [] }, 'server option servedModelNames is empty, expected a name or none'],
    [{ metricsPrefix: 'a:b' }, "server option metricsPrefix is 'a:b', expected letters, digits and underscores"],
  ])('%j are refused', (options, message) => {
    expect(() => createServer(new FakeModel(), options as KvasirServerOptions)).toThrow(message);
  });

  test('an address in use is named', async () => {
    const { server } = await startServer();
    const { port } = server.address!;
    await expect(createServer(new FakeModel()).listen({ port })).rejects.toMatchObject({
      code: 'ERR_LISTEN',
      message: `127.0.0.1:${port} is in use by another program; stop it or choose another port`,
    });
  });
});

describe('further routes', () => {
  test('may have schemas', async () => {
    const server = createServer(new FakeModel());
    const querystring = { type: 'object', properties: { n: { type: 'integer' } }, required: ['n'] };
    const response = { 200: { type: 'object', properties: { n: { type: 'integer' } } } };
    server.fastify.get('/twice', { schema: { querystring, response } }, ({ query }) => ({
      n: (query as { n: number }).n * 2,
      hidden: true,
    }));
    expect((await server.fastify.inject('/twice?n=4')).json()).toEqual({ n: 8 });
    const refused = await server.fastify.inject('/twice?n=x');
    expect([refused.statusCode, refused.json().error]).toEqual([
      400,
      { message: 'querystring/n must be integer', type: 'invalid_request_error', param: null, code: 'invalid_value' },
    ]);
    await server.close();
  });
});

describe('the access log', () => {
  test('has one line a request, with counts and without text', async () => {
    const lines: Json[] = [];
    const stream = { write: (line: string) => lines.push(JSON.parse(line)) };
    const { url } = await startServer({ reply: () => 'secret answer' }, { logger: { level: 'info', stream } });
    lines.length = 0;
    const body = { messages: [{ role: 'user', content: 'secret question' }], user: 'u1', metadata: { team: 'a' } };
    await (await post(`${url}/v1/chat/completions`, body, { 'x-request-id': 'req-1' })).text();
    await (await fetch(`${url}/health`)).text();
    await (await post(`${url}/v1/chat/completions`, { ...body, tools: [{}] })).text();
    await expect.poll(() => lines.length).toBe(2);
    expect(lines[0]).toMatchObject({
      id: 'req-1',
      method: 'POST',
      route: '/v1/chat/completions',
      status: 200,
      model: 'fake',
      user: 'u1',
      metadata: { team: 'a' },
      promptTokens: 31,
      completionTokens: 14,
      cachedTokens: 0,
      ttftMs: expect.any(Number),
      e2eMs: expect.any(Number),
      finish: 'stop',
    });
    expect(lines[1]).toMatchObject({ status: 400, errorCode: 'unsupported_parameter' });
    expect(JSON.stringify(lines)).not.toContain('secret');
  });
});
