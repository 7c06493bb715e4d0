import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { parseScoreRequest } from '../requests/score-request.js';
import type { ServerContext } from '../server-context.js';
import { cosineSimilarity } from '../wire/cosine-similarity.js';
import { toEmbeddingUsage } from '../wire/usage.js';
import { createAnswerIds } from './answer-ids.js';
import { embedInputs } from './embed-inputs.js';

/** Paths of one route, both vLLM's. */
export const SCORE_PATHS = ['/score', '/v1/score'] as const;

/** `POST /v1/score`: cosines of pairs of texts. */
export function addScore(fastify: FastifyInstance, context: ServerContext): void {
  for (const path of SCORE_PATHS) fastify.post(path, (request, reply) => score(context, request, reply));
}

async function score(context: ServerContext, request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
  const body = parseScoreRequest(context.schemas.score, request.body);
  const { name: model, embedder } = context.models.embedder(body.model);
  Object.assign(request.access, { model, user: body.user });
  const { id, names } = createAnswerIds('score', body.requestId, request.id);
  const { first, second } = body;
  const inputs = [...first, ...second];
  const { vectors, promptTokens } = await embedInputs(context, request, reply, { embedder, inputs, names });
  const data = second.map((_, index) => {
    const one = vectors[first.length === 1 ? 0 : index]!;
    return { index, object: 'score', score: cosineSimilarity(one, vectors[first.length + index]!) };
  });
  const created = Math.floor(Date.now() / 1000);
  return { id, object: 'list', created, model, data, usage: toEmbeddingUsage(promptTokens) };
}
