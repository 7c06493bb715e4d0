import type { FastifyInstance } from 'fastify';
import { RequestError } from '../errors.js';
import type { Lifecycle } from '../lifecycle.js';
import { ownVersion } from '../own-version.js';
import { parseAbortRequest } from '../requests/abort-request.js';
import type { ServerContext } from '../server-context.js';
import { toSnakeCase } from '../wire/snake-case.js';

const ADMIN = { config: { isAdmin: true, hasOptionalBody: true } };

/** `POST /reset_prefix_cache`, `POST /abort_requests` and `GET /server_info`, for whoever has the admin key. */
export function addAdministration(fastify: FastifyInstance, context: ServerContext, lifecycle: Lifecycle): void {
  const { model, options } = context;

  fastify.post('/reset_prefix_cache', ADMIN, (_request, reply) => {
    if (model.engine.resetPrefixCache === undefined) {
      throw new RequestError('ERR_UNKNOWN_ROUTE', 'this engine has no prefix cache that could be reset');
    }
    model.engine.resetPrefixCache();
    return reply.send({ reset: true });
  });

  fastify.post('/abort_requests', ADMIN, (request, reply) => {
    const ids = parseAbortRequest(request.body);
    const aborted: string[] = [];
    for (const generation of context.generations) {
      if (ids !== undefined && !generation.names.some((name) => ids.has(name))) continue;
      generation.abort('the request was aborted by an administrator; ask them before you send it again');
      aborted.push(generation.names[0]!);
    }
    return reply.send({ aborted });
  });

  fastify.get('/server_info', ADMIN, (_request, reply) =>
    reply.send({
      version: options.version ?? ownVersion(),
      state: lifecycle.state,
      uptime_s: Date.now() / 1000 - context.createdAt,
      models: context.modelNames,
      limits: toSnakeCase(model.engine.limits),
      options: toSnakeCase({
        hasApiKeys: context.users.hasKeys,
        maxLogprobs: options.maxLogprobs,
        maxPrompts: options.maxPrompts,
        maxChoices: options.maxChoices,
        maxBodyBytes: options.maxBodyBytes,
        trustRequestChatTemplate: options.trustRequestChatTemplate,
      }),
      stats: toSnakeCase(numbersOf(model.engine.stats())),
      numerics_id: model.numericsId ?? null,
      device: model.device === undefined ? null : toSnakeCase(model.device),
      memory: model.memory === undefined ? null : toSnakeCase(model.memory),
    }),
  );
}

/** Entries that are numbers: an engine may count by tenant too, and the names of tenants are nobody's business. */
function numbersOf(stats: object): Readonly<Record<string, number>> {
  return Object.fromEntries(Object.entries(stats).filter(([, value]) => typeof value === 'number'));
}
