import { expect, test } from 'vitest';
import { jsonOf, post, startServer } from './support/client.js';

const options = { apiKeys: ['key-one', 'key-two'] };
const bearer = (key: string) => ({ authorization: `Bearer ${key}` });

test.each(['/v1/models', '/v1/models/fake', '/version', '/metrics', '/nothing/here'])(
  '%s wants a key',
  async (path) => {
    const { url } = await startServer({}, options);
    const response = await fetch(`${url}${path}`);
    expect(response.status).toBe(401);
    expect(response.headers.get('www-authenticate')).toBe('Bearer');
    expect((await jsonOf(response)).error).toEqual({
      message: 'no API key; send it as the header Authorization: Bearer KEY',
      type: 'authentication_error',
      param: null,
      code: 'invalid_api_key',
    });
  },
);

test.each(['/v1/chat/completions', '/v1/completions', '/tokenize', '/detokenize'])('%s wants a key', async (path) => {
  const { url, model } = await startServer({}, options);
  expect((await post(`${url}${path}`, { prompt: 'x' })).status).toBe(401);
  expect(model.submitted).toEqual([]);
});

test('a route that was added from outside wants a key too', async () => {
  const { createServer } = await import('../src/index.js');
  const { FakeModel } = await import('./support/fake-model.js');
  const server = createServer(new FakeModel(), options);
  server.fastify.get('/extra', () => 'ok');
  expect((await server.fastify.inject('/extra')).statusCode).toBe(401);
  expect((await server.fastify.inject({ url: '/extra', headers: bearer('key-one') })).statusCode).toBe(200);
  await server.close();
});

test('no other route is open', async () => {
  const { url, server } = await startServer({}, { ...options, adminKey: 'admin' });
  const document = await jsonOf(await fetch(`${url}/openapi.json`, { headers: bearer('key-one') }));
  const open: string[] = [];
  for (const [path, methods] of Object.entries<object>(document.paths)) {
    for (const method of Object.keys(methods)) {
      const { statusCode } = await server.fastify.inject({ url: path, method: method as 'get' });
      if (statusCode !== 401) open.push(path);
    }
  }
  expect(open).toEqual(['/health', '/ready']);
});

test.each(['/health', '/ready'])('%s is open', async (path) => {
  const { url } = await startServer({}, options);
  expect((await fetch(`${url}${path}`)).status).toBe(200);
});

test('each key opens, whatever the case of the scheme', async () => {
  const { url } = await startServer({}, options);
  for (const authorization of ['Bearer key-one', 'bearer key-two', 'BEARER  key-one ']) {
    expect((await fetch(`${url}/v1/models`, { headers: { authorization } })).status).toBe(200);
  }
});

test.each([
  ['Bearer key-on', 'the API key is not valid; send one the server was started with'],
  ['Bearer key-one2', 'the API key is not valid; send one the server was started with'],
  ['Bearer', 'the Authorization header is not of the form Bearer KEY; send it so'],
  ['Basic a2V5LW9uZQ==', 'the Authorization header is not of the form Bearer KEY; send it so'],
  ['key-one', 'the Authorization header is not of the form Bearer KEY; send it so'],
])('%j does not open', async (authorization, message) => {
  const { url } = await startServer({}, options);
  const response = await fetch(`${url}/v1/models`, { headers: { authorization } });
  expect([response.status, (await jsonOf(response)).error.message]).toEqual([401, message]);
});

test('without keys everyone is let in', async () => {
  const { url } = await startServer();
  expect((await fetch(`${url}/v1/models`)).status).toBe(200);
});

test('a request id is echoed when it is usable, else made', async () => {
  const { url } = await startServer();
  const idFor = async (id?: string) =>
    (await fetch(`${url}/health`, { headers: id === undefined ? {} : { 'x-request-id': id } })).headers.get(
      'x-request-id',
    );
  expect(await idFor('abc-123')).toBe('abc-123');
  expect(await idFor()).toMatch(/^[0-9a-f]{32}$/);
  expect(await idFor('x'.repeat(200))).toMatch(/^[0-9a-f]{32}$/);
});
