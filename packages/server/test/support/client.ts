import { connect } from 'node:net';
import type { Embedder } from '@kvasir/engine';
import { afterEach, expect } from 'vitest';
import { createServer, type KvasirServer, type KvasirServerOptions } from '../../src/index.js';
import { checkAnswer, checkEvent } from './conformance.js';
import { createFakeEmbedder, type FakeEmbedderOptions } from './fake-embedder.js';
import { FakeModel, type FakeModelOptions } from './fake-model.js';

export interface TestServer {
  readonly model: FakeModel;
  readonly server: KvasirServer;
  readonly url: string;
}

const open: KvasirServer[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((server) => server.close({ drainTimeoutMs: 0 })));
});

/** A server on a free port, closed after the test. */
export async function startServer(
  modelOptions: FakeModelOptions = {},
  options: KvasirServerOptions = {},
): Promise<TestServer> {
  const model = new FakeModel(modelOptions);
  const server = createServer(model, options);
  open.push(server);
  const { url } = await server.listen({ port: 0 });
  return { model, server, url };
}

/** A server of an embedder alone, or beside a language model. */
export async function startEmbeddingServer(
  embedderOptions: FakeEmbedderOptions = {},
  options: KvasirServerOptions = {},
  beside?: FakeModel,
): Promise<{ readonly embedder: Embedder; readonly server: KvasirServer; readonly url: string }> {
  const embedder = await createFakeEmbedder(embedderOptions);
  const server = createServer(beside, { embedders: [{ embedder }], ...options });
  open.push(server);
  const { url } = await server.listen({ port: 0 });
  return { embedder, server, url };
}

// biome-ignore lint/suspicious/noExplicitAny: bodies are checked by the assertions on them.
export type Json = any;

/** POSTs JSON; `headers` are added. */
export function post(
  url: string,
  body: unknown,
  headers: Record<string, string> = {},
  signal?: AbortSignal,
): Promise<Response> {
  return fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body),
    ...(signal === undefined ? {} : { signal }),
  });
}

/** The body, as JSON; it must be what the OpenAPI document says. */
export async function jsonOf(response: Response): Promise<Json> {
  const json = (await response.json()) as Json;
  await checkAnswer(response, json);
  return json;
}

/** POSTs and expects a 200, with a body that is what the OpenAPI document says. */
export async function postOk(url: string, body: unknown): Promise<Json> {
  const response = await post(url, body);
  const json = await jsonOf(response);
  expect(response.status, JSON.stringify(json)).toBe(200);
  return json;
}

/** Events of a stream, each what the OpenAPI document says; the last must be `[DONE]` unless there was an error. */
export async function readEvents(response: Response): Promise<Json[]> {
  const text = await response.text();
  expect(text.endsWith('\n\n')).toBe(true);
  const datas = text
    .slice(0, -2)
    .split('\n\n')
    .map((frame) => {
      expect(frame.startsWith('data: '), frame).toBe(true);
      return frame.slice('data: '.length);
    });
  const isDone = datas.at(-1) === '[DONE]';
  const events = (isDone ? datas.slice(0, -1) : datas).map((data) => JSON.parse(data) as Json);
  for (const event of events) await checkEvent(response, event);
  return events;
}

/** Sends raw bytes and returns what comes back until the server closes. */
export function sendRaw(url: string, text: string): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    let answer = '';
    const socket = connect(Number(port), hostname, () => socket.write(text));
    socket.on('data', (bytes) => {
      answer += bytes.toString();
    });
    socket.on('end', () => resolve(answer));
    socket.on('error', reject);
  });
}

/** Polls until `condition` holds. */
export async function until(condition: () => boolean, timeoutMs = 5000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`condition did not hold within ${timeoutMs} ms: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** The model holds nothing. */
export function expectIdle(model: FakeModel): void {
  const stats = model.stats();
  expect({ running: stats.numRunning, waiting: stats.numWaiting, free: stats.numFreeBlocks }).toEqual({
    running: 0,
    waiting: 0,
    free: stats.numBlocks,
  });
}
