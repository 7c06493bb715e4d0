import type { FastifyInstance } from 'fastify';
import type { DirectoryEntry } from '../model-directory.js';
import type { ServerContext } from '../server-context.js';

/** `GET /v1/models` and `GET /v1/models/{id}`; an id may hold slashes. */
export function addModels(fastify: FastifyInstance, context: ServerContext): void {
  const describe = ({ name, ownName, maxModelLen }: DirectoryEntry) => ({
    id: name,
    object: 'model',
    created: context.createdAt,
    owned_by: 'kvasir',
    root: ownName,
    parent: null,
    max_model_len: maxModelLen,
  });

  fastify.get('/v1/models', (_request, reply) =>
    reply.send({ object: 'list', data: context.models.entries.map(describe) }),
  );
  fastify.get<{ Params: { '*': string } }>('/v1/models/*', (request, reply) =>
    reply.send(describe(context.models.find(request.params['*']))),
  );
}
