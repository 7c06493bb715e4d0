import type { FastifyInstance } from 'fastify';
import { RequestError } from '../errors.js';
import { sseFrame } from '../http/sse-stream.js';
import type { GenerationContext } from '../server-context.js';
import { toSnakeCase } from '../wire/snake-case.js';

/** Bytes that may wait for a subscriber. One that falls further behind is cut off: it would have to start afresh anyway. */
const MAX_BACKLOG_BYTES = 4 << 20;

/**
 * `GET /kv_events`: what the KV cache stores, removes and clears, as server-sent events in the order they are to be applied.
 * Their token ids are those of prompts, so it wants the admin key.
 */
export function addKvEvents(fastify: FastifyInstance, { model }: GenerationContext): void {
  fastify.get('/kv_events', { config: { isAdmin: true } }, (_request, reply) => {
    const { engine } = model;
    if (engine.subscribeKvEvents === undefined) {
      throw new RequestError('ERR_UNKNOWN_ROUTE', 'this engine tells nothing of its KV cache');
    }
    reply.hijack();
    const response = reply.raw;
    response.writeHead(200, {
      ...(reply.getHeaders() as Record<string, string>),
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache, no-transform',
      'x-accel-buffering': 'no',
    });
    // Sends the head: whoever has it misses nothing from here on.
    response.write(': subscribed\n\n');
    const stop = engine.subscribeKvEvents((event) => {
      response.write(sseFrame(JSON.stringify(toSnakeCase(event))));
      if (response.writableLength > MAX_BACKLOG_BYTES) response.destroy();
    });
    response.once('close', stop);
  });
}
