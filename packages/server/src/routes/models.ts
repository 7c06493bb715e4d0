import type { FastifyInstance } from 'fastify';
import { type ServerContext, servedName } from '../server-context.js';

/** `GET /v1/models` and `GET /v1/models/{id}`; an id may hold slashes. */
export function addModels(fastify: FastifyInstance, context: ServerContext): void {
  const describe = (id: string) => ({
    id,
    object: 'model',
    created: context.createdAt,
    owned_by: 'kvasir',
    root: context.model.name,
    parent: null,
    max_model_len: context.model.engine.limits.maxModelLen,
  });

  fastify.get('/v1/models', (_request, reply) =>
    reply.send({ object: 'list', data: context.modelNames.map(describe) }),
  );
  fastify.get<{ Params: { '*': string } }>('/v1/models/*', (request, reply) =>
    reply.send(describe(servedName(context, request.params['*']))),
  );
}
