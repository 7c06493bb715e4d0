import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { parseRerankRequest } from '../requests/rerank-request.js';
import type { ServerContext } from '../server-context.js';
import { cosineSimilarity } from '../wire/cosine-similarity.js';
import { toEmbeddingUsage } from '../wire/usage.js';
import { createAnswerIds } from './answer-ids.js';
import { embedInputs } from './embed-inputs.js';

/** Paths of one route: Jina's, and those of Cohere's two APIs. */
export const RERANK_PATHS = ['/rerank', '/v1/rerank', '/v2/rerank'] as const;

/** `POST /v1/rerank`: documents by the cosine of their vectors with that of a query, best first. */
export function addRerank(fastify: FastifyInstance, context: ServerContext): void {
  for (const path of RERANK_PATHS) fastify.post(path, (request, reply) => rerank(context, request, reply));
}

async function rerank(context: ServerContext, request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
  const body = parseRerankRequest(context.schemas.rerank, request.body);
  const { name: model, embedder } = context.models.embedder(body.model);
  Object.assign(request.access, { model, user: body.user });
  const { id, names } = createAnswerIds('rerank', body.requestId, request.id);
  const { query, documents, topN, returnDocuments } = body;
  const inputs = [query, ...documents];
  const { vectors, promptTokens } = await embedInputs(context, request, reply, { embedder, inputs, names });
  const [queryVector, ...documentVectors] = vectors;
  const scored = documentVectors.map((vector, index) => ({ index, score: cosineSimilarity(queryVector!, vector) }));
  const best = scored.sort((a, b) => b.score - a.score || a.index - b.index).slice(0, topN);
  return {
    id,
    model,
    results: best.map(({ index, score }) => ({
      index,
      relevance_score: score,
      ...(returnDocuments ? { document: { text: documents[index]!.content as string } } : {}),
    })),
    usage: toEmbeddingUsage(promptTokens),
  };
}
