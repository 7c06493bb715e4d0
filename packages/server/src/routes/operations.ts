import type { FastifyInstance } from 'fastify';
import type { Lifecycle } from '../lifecycle.js';
import { ownVersion } from '../own-version.js';
import type { ServerContext } from '../server-context.js';

/** `GET /health`, `/ready`, `/ping`, `/version` and `/metrics`. The first two are open to everyone. */
export function addOperations(fastify: FastifyInstance, context: ServerContext, lifecycle: Lifecycle): void {
  fastify.get('/health', { config: { isPublic: true, isRoutine: true } }, (_request, reply) => {
    const { failure } = context.models;
    if (failure === undefined) return reply.send({ status: 'ok' });
    return reply.code(503).send({ status: 'failed', reason: failure.message });
  });

  fastify.get('/ready', { config: { isPublic: true, isRoutine: true } }, (_request, reply) => {
    const state = context.models.failure === undefined ? lifecycle.state : 'failed';
    if (state === 'ready') return reply.send({ status: 'ready' });
    return reply.code(503).header('retry-after', '5').send({ status: state });
  });

  fastify.route({
    method: ['GET', 'POST'],
    url: '/ping',
    config: { isRoutine: true, hasOptionalBody: true },
    handler: (_request, reply) => reply.code(context.models.failure === undefined ? 200 : 503).send(),
  });

  fastify.get('/version', (_request, reply) => reply.send({ version: context.options.version ?? ownVersion() }));

  fastify.get('/metrics', { config: { isRoutine: true } }, async (_request, reply) => {
    const { contentType, text } = await context.metrics.scrape();
    return reply.type(contentType).send(text);
  });
}
