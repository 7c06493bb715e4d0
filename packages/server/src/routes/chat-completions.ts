import type { RequestUsage } from '@kvasir/interfaces';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Generation } from '../generation.js';
import { type ChatRequest, parseChatRequest } from '../requests/chat-request.js';
import { type GenerationContext, startGeneration } from '../server-context.js';
import { ChunkWriter } from '../wire/frames.js';
import { toChatLogprobs, tokenNames, toPromptLogprobs } from '../wire/logprobs.js';
import { toUsageBody } from '../wire/usage.js';
import { createAnswerIds } from './answer-ids.js';
import { collect, recordOutputs } from './collected-output.js';
import { encodeChat } from './encode-chat.js';
import { planRequest } from './plan-request.js';
import { SEED_HEADER } from './seed-header.js';
import { streamGeneration } from './stream-generation.js';

/** What an answer needs besides the generation. */
interface ChatAnswer {
  readonly id: string;
  readonly created: number;
  readonly model: string;
  readonly chat: ChatRequest;
  readonly promptTokenIds: readonly number[];
  /** The assistant's last message, which `echo` repeats before the answer. */
  readonly echoed: string;
}

/** `POST /v1/chat/completions`. */
export function addChatCompletions(fastify: FastifyInstance, context: GenerationContext): void {
  fastify.post('/v1/chat/completions', (request, reply) => answer(context, request, reply));
}

async function answer(context: GenerationContext, request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
  const chat = parseChatRequest(context.schemas.chat, request.body, context.sampling);
  const model = context.models.languageName(chat.model);
  Object.assign(request.access, { model, user: chat.user, metadata: chat.metadata });
  const ids = createAnswerIds('chatcmpl', chat.requestId, request.id);
  const planned = planRequest(context, {
    requestId: ids.engineId,
    parameter: 'messages',
    tokenIds: await encodeChat(context, chat.messages, chat.template),
    fields: chat,
    maxTokens: chat.maxTokens,
    fallbackTokens: context.sampling.defaults.maxTokens ?? Number.POSITIVE_INFINITY,
    logprobs: chat.logprobs,
  });
  const client = { names: ids.names, response: reply.raw, access: request.access };
  const generation = startGeneration(context, [planned], client);
  reply.header(SEED_HEADER, String(planned.sampling.seed));
  const lastMessage = chat.messages.at(-1);
  const facts: ChatAnswer = {
    id: ids.id,
    created: Math.floor(Date.now() / 1000),
    model,
    chat,
    promptTokenIds: chat.returnTokenIds ? Array.from(planned.promptTokenIds) : [],
    echoed: chat.echo && lastMessage?.role === 'assistant' ? lastMessage.content : '',
  };
  return chat.stream
    ? stream(context, request, reply, generation, facts)
    : complete(context, request, generation, facts);
}

async function complete(
  { model: { tokenizer } }: GenerationContext,
  request: FastifyRequest,
  generation: Generation,
  { id, created, model, chat, promptTokenIds, echoed }: ChatAnswer,
): Promise<unknown> {
  const [output] = await collect(generation, 1, chat.n);
  const { choices, usage, promptLogprobs } = output!;
  const nameOf = tokenNames(tokenizer, chat.tokensAsIds);
  recordOutputs(
    request.access,
    [usage],
    choices.map(({ finishReason }) => finishReason),
  );
  return {
    id,
    object: 'chat.completion',
    created,
    model,
    choices: choices.map((choice, index) => ({
      index,
      message: { role: 'assistant', content: echoed + choice.text, refusal: null },
      logprobs: chat.logprobs === undefined ? null : toChatLogprobs(choice.logprobs, tokenizer, nameOf),
      finish_reason: choice.finishReason,
      stop_reason: choice.stopReason ?? null,
      ...(chat.returnTokenIds ? { token_ids: choice.tokenIds } : {}),
    })),
    usage: toUsageBody([usage]),
    ...(chat.returnTokenIds ? { prompt_token_ids: promptTokenIds } : {}),
    ...(promptLogprobs === undefined ? {} : { prompt_logprobs: toPromptLogprobs(promptLogprobs, nameOf) }),
  };
}

function stream(
  context: GenerationContext,
  request: FastifyRequest,
  reply: FastifyReply,
  generation: Generation,
  { id, created, model, chat, promptTokenIds, echoed }: ChatAnswer,
): Promise<FastifyReply> {
  const { tokenizer } = context.model;
  const { includeUsage, continuousUsage, returnTokenIds, logprobs } = chat;
  const chunks = new ChunkWriter({ id, object: 'chat.completion.chunk', created, model, includeUsage });
  const nameOf = tokenNames(tokenizer, chat.tokensAsIds);
  const isPlain = logprobs === undefined && !returnTokenIds && !continuousUsage;
  const usageSoFar = (usage: RequestUsage) => (continuousUsage ? JSON.stringify(toUsageBody([usage])) : undefined);
  const begin = (index: number, usage: RequestUsage): string => {
    const promptIds = returnTokenIds ? JSON.stringify(promptTokenIds) : undefined;
    const before = usageSoFar({ ...usage, completionTokens: 0 });
    const role = chunks.role(index, { promptTokenIds: promptIds, usage: before });
    return echoed === '' ? role : role + chunks.full(index, echoed, {}, { usage: before });
  };
  return streamGeneration(request, reply, generation, {
    context,
    preamble: ({ usage }) => Array.from({ length: chat.n }, (_, index) => begin(index, usage)).join(''),
    frame: ([, delta]) => {
      const { index, text, finishReason } = delta;
      if (isPlain && finishReason === undefined) return text === '' ? '' : chunks.text(index, text);
      return chunks.full(index, text, delta, {
        logprobs:
          logprobs === undefined ? undefined : JSON.stringify(toChatLogprobs(delta.logprobs ?? [], tokenizer, nameOf)),
        tokenIds: returnTokenIds ? JSON.stringify(delta.tokenIds) : undefined,
        usage: usageSoFar(delta.usage),
      });
    },
    usageFrame: includeUsage ? (usage) => chunks.usage(usage) : undefined,
    usage: (usage) => usage,
  });
}
