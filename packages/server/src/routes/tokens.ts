import type { FastifyInstance } from 'fastify';
import { RequestError } from '../errors.js';
import { quote } from '../requests/describe-value.js';
import { checkInputLength } from '../requests/embedding-fields.js';
import { checkTokenRange } from '../requests/prompts.js';
import { parseDetokenizeRequest, parseTokenizeRequest, type TokenizeRequest } from '../requests/tokenize-request.js';
import type { GenerationContext, ServerContext } from '../server-context.js';
import { encodeChat } from './encode-chat.js';

/** `POST /tokenize` and `POST /detokenize`, in vLLM's shapes, with the tokenizer of whichever model is asked for. */
export function addTokens(
  fastify: FastifyInstance,
  context: ServerContext,
  generation: GenerationContext | undefined,
): void {
  fastify.post('/tokenize', async (request, reply) => {
    const body = parseTokenizeRequest(context.schemas.tokenize, request.body);
    const { tokenizer, maxModelLen, embedder, name } = context.models.find(body.model);
    const tokens =
      embedder === undefined
        ? await encodeForModel(generation!, body)
        : encodeForEmbedder(context, name, tokenizer, body);
    return reply.send({
      count: tokens.length,
      max_model_len: maxModelLen,
      tokens: Array.from(tokens),
      token_strs: body.returnTokenStrs ? Array.from(tokens, (id) => tokenizer.tokenText(id)) : null,
    });
  });

  fastify.post('/detokenize', (request, reply) => {
    const body = parseDetokenizeRequest(context.schemas.detokenize, request.body);
    const { tokenizer } = context.models.find(body.model);
    checkTokenRange(body.tokens, tokenizer.vocabSize, 'tokens');
    return reply.send({ prompt: tokenizer.decode(body.tokens, { skipSpecialTokens: false }) });
  });
}

function encodeForModel(context: GenerationContext, body: TokenizeRequest): Int32Array | Promise<Int32Array> {
  const { prompt, messages, template, addSpecialTokens } = body;
  if (messages !== undefined) return encodeChat(context, messages, { ...template, addSpecialTokens });
  context.promptBound.check(prompt ?? '', 'prompt');
  return context.model.tokenizer.encode(prompt ?? '', { addSpecialTokens });
}

function encodeForEmbedder(
  { options }: ServerContext,
  name: string,
  tokenizer: Pick<GenerationContext['model']['tokenizer'], 'encode'>,
  { prompt, messages, addSpecialTokens }: TokenizeRequest,
): Int32Array {
  if (messages !== undefined) {
    throw new RequestError(
      'ERR_NO_CHAT_TEMPLATE',
      `model ${quote(name)} is an embedding model and takes no messages; send a prompt`,
      'messages',
    );
  }
  checkInputLength(prompt ?? '', options.maxInputCharacters, 'prompt');
  return tokenizer.encode(prompt ?? '', { addSpecialTokens });
}
