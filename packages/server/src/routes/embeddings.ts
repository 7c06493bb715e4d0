import type { FastifyInstance } from 'fastify';
import { parseEmbeddingRequest } from '../requests/embedding-request.js';
import type { ServerContext } from '../server-context.js';
import { writeEmbeddingList } from '../wire/embedding-list.js';
import { toEmbeddingUsage } from '../wire/usage.js';
import { createAnswerIds } from './answer-ids.js';
import { embedInputs } from './embed-inputs.js';

/** `POST /v1/embeddings`. */
export function addEmbeddings(fastify: FastifyInstance, context: ServerContext): void {
  fastify.post('/v1/embeddings', async (request, reply) => {
    const body = parseEmbeddingRequest(context.schemas.embedding, request.body);
    const { name: model, embedder } = context.models.embedder(body.model);
    Object.assign(request.access, { model, user: body.user });
    const { id, names } = createAnswerIds('embd', body.requestId, request.id);
    const { inputs, dimensions, encoding } = body;
    const { vectors, promptTokens } = await embedInputs(context, request, reply, {
      embedder,
      inputs,
      dimensions,
      names,
    });
    const head = JSON.stringify({ id, object: 'list', created: Math.floor(Date.now() / 1000), model });
    const usage = JSON.stringify(toEmbeddingUsage(promptTokens));
    const data = await writeEmbeddingList(vectors, encoding);
    return reply.type('application/json; charset=utf-8').send(`${head.slice(0, -1)},"data":${data},"usage":${usage}}`);
  });
}
