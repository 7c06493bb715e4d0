import type { FastifyInstance } from 'fastify';
import { parseDetokenizeRequest, parseTokenizeRequest } from '../requests/tokenize-request.js';
import { encodeChat, type ServerContext, servedName } from '../server-context.js';

/** `POST /tokenize` and `POST /detokenize`, in vLLM's shapes. */
export function addTokens(fastify: FastifyInstance, context: ServerContext): void {
  const { tokenizer, engine } = context.model;

  fastify.post('/tokenize', (request, reply) => {
    const body = parseTokenizeRequest(request.body);
    servedName(context, body.model);
    const { addGenerationPrompt, addSpecialTokens } = body;
    if (body.prompt !== undefined) context.promptBound.check(body.prompt, 'prompt');
    const tokens =
      body.messages === undefined
        ? tokenizer.encode(body.prompt ?? '', { addSpecialTokens })
        : encodeChat(context, body.messages, { addGenerationPrompt, addSpecialTokens });
    return reply.send({
      count: tokens.length,
      max_model_len: engine.limits.maxModelLen,
      tokens: Array.from(tokens),
      token_strs: body.returnTokenStrs ? Array.from(tokens, (id) => tokenizer.tokenText(id)) : null,
    });
  });

  fastify.post('/detokenize', (request, reply) => {
    const body = parseDetokenizeRequest(request.body, tokenizer.vocabSize);
    servedName(context, body.model);
    return reply.send({ prompt: tokenizer.decode(body.tokens, { skipSpecialTokens: false }) });
  });
}
