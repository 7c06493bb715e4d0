import type { FastifyInstance } from 'fastify';
import { parseDetokenizeRequest, parseTokenizeRequest } from '../requests/tokenize-request.js';
import { type ServerContext, servedName } from '../server-context.js';
import { encodeChat } from './encode-chat.js';

/** `POST /tokenize` and `POST /detokenize`, in vLLM's shapes. */
export function addTokens(fastify: FastifyInstance, context: ServerContext): void {
  const { tokenizer, engine } = context.model;

  fastify.post('/tokenize', async (request, reply) => {
    const body = parseTokenizeRequest(context.schemas.tokenize, request.body);
    servedName(context, body.model);
    const { template, addSpecialTokens } = body;
    if (body.prompt !== undefined) context.promptBound.check(body.prompt, 'prompt');
    const tokens =
      body.messages === undefined
        ? tokenizer.encode(body.prompt ?? '', { addSpecialTokens })
        : await encodeChat(context, body.messages, { ...template, addSpecialTokens });
    return reply.send({
      count: tokens.length,
      max_model_len: engine.limits.maxModelLen,
      tokens: Array.from(tokens),
      token_strs: body.returnTokenStrs ? Array.from(tokens, (id) => tokenizer.tokenText(id)) : null,
    });
  });

  fastify.post('/detokenize', (request, reply) => {
    const body = parseDetokenizeRequest(context.schemas.detokenize, request.body);
    servedName(context, body.model);
    return reply.send({ prompt: tokenizer.decode(body.tokens, { skipSpecialTokens: false }) });
  });
}
