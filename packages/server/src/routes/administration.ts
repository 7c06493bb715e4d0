import type { FastifyInstance } from 'fastify';
import { RequestError } from '../errors.js';
import type { Lifecycle } from '../lifecycle.js';
import { ownVersion } from '../own-version.js';
import { parseAbortRequest } from '../requests/abort-request.js';
import type { ServedModel } from '../served-model.js';
import type { ServerContext } from '../server-context.js';
import { toSnakeCase } from '../wire/snake-case.js';

const ADMIN = { config: { isAdmin: true, hasOptionalBody: true } };

/** `POST /reset_prefix_cache`, `POST /abort_requests` and `GET /server_info`, for whoever has the admin key. */
export function addAdministration(
  fastify: FastifyInstance,
  context: ServerContext,
  { model, lifecycle }: { readonly model: ServedModel | undefined; readonly lifecycle: Lifecycle },
): void {
  const { options, models } = context;

  fastify.post('/reset_prefix_cache', ADMIN, (_request, reply) => {
    if (model?.engine.resetPrefixCache === undefined) {
      throw new RequestError('ERR_UNKNOWN_ROUTE', 'there is no prefix cache here that could be reset');
    }
    model.engine.resetPrefixCache();
    return reply.send({ reset: true });
  });

  fastify.post('/abort_requests', ADMIN, (request, reply) => {
    const ids = parseAbortRequest(request.body);
    const aborted: string[] = [];
    for (const answer of context.ongoing) {
      if (ids !== undefined && !answer.names.some((name) => ids.has(name))) continue;
      answer.abort('the request was aborted by an administrator; ask them before you send it again');
      aborted.push(answer.names[0]!);
    }
    return reply.send({ aborted });
  });

  fastify.get('/server_info', ADMIN, (_request, reply) =>
    reply.send({
      version: options.version ?? ownVersion(),
      state: lifecycle.state,
      uptime_s: Date.now() / 1000 - context.createdAt,
      models: models.names,
      limits: orNull(model?.engine.limits),
      options: toSnakeCase({
        hasApiKeys: context.users.hasKeys,
        maxLogprobs: options.maxLogprobs,
        maxPrompts: options.maxPrompts,
        maxChoices: options.maxChoices,
        maxEmbeddingInputs: options.maxEmbeddingInputs,
        maxEmbeddingTokens: options.maxEmbeddingTokens,
        maxBodyBytes: options.maxBodyBytes,
        trustRequestChatTemplate: options.trustRequestChatTemplate,
      }),
      stats: model === undefined ? null : toSnakeCase(numbersOf(model.engine.stats())),
      ...placeOf(model),
      embedders: models.embedders.map((embedder) => ({
        model: embedder.name,
        width: embedder.width,
        limits: toSnakeCase(embedder.limits),
        stats: toSnakeCase(numbersOf(embedder.stats())),
        ...placeOf(embedder),
      })),
    }),
  );
}

/** Where a model runs, what memory it takes and what decides its bits. */
function placeOf(model: Pick<ServedModel, 'numericsId' | 'device' | 'memory'> | undefined) {
  return { numerics_id: model?.numericsId ?? null, device: orNull(model?.device), memory: orNull(model?.memory) };
}

function orNull(value: object | undefined): unknown {
  return value === undefined ? null : toSnakeCase(value);
}

/** Entries that are numbers: an engine may count by tenant too, and the names of tenants are nobody's business. */
function numbersOf(stats: object): Readonly<Record<string, number>> {
  return Object.fromEntries(Object.entries(stats).filter(([, value]) => typeof value === 'number'));
}
