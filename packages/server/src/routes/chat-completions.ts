import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Generation } from '../generation.js';
import { randomId } from '../http/request-id.js';
import { type ChatRequest, parseChatRequest } from '../requests/chat-request.js';
import { settleMaxTokens } from '../requests/context-length.js';
import { toSamplingParams } from '../requests/sampling-fields.js';
import { encodeChat, type ServerContext, servedName, startGeneration } from '../server-context.js';
import { ChunkWriter } from '../wire/frames.js';
import { toChatLogprobs, toPromptLogprobs } from '../wire/logprobs.js';
import { toUsageBody } from '../wire/usage.js';
import { collect, recordOutputs } from './collected-output.js';
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
export function addChatCompletions(fastify: FastifyInstance, context: ServerContext): void {
  fastify.post('/v1/chat/completions', (request, reply) => answer(context, request, reply));
}

function answer(context: ServerContext, request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
  const { model, options } = context;
  const { maxModelLen } = model.engine.limits;
  const chat = parseChatRequest(request.body, options.maxLogprobs);
  const name = servedName(context, chat.model);
  Object.assign(request.access, { model: name, user: chat.user, metadata: chat.metadata });
  const promptTokenIds = encodeChat(context, chat.messages, { addGenerationPrompt: true, addSpecialTokens: false });
  const maxTokens = settleMaxTokens({
    parameter: 'messages',
    promptTokens: promptTokenIds.length,
    maxModelLen,
    asked: chat.maxTokens,
    fallback: maxModelLen,
  });
  const sampling = toSamplingParams(chat.sampling, {
    maxTokens,
    logprobs: chat.logprobs,
    vocabSize: model.tokenizer.vocabSize,
    drawSeed: () => model.engine.drawSeed(),
  });
  const id = `chatcmpl-${randomId()}`;
  const generation = startGeneration(context, [{ requestId: id, promptTokenIds, sampling }], reply.raw, request.access);
  reply.header(SEED_HEADER, String(sampling.seed));
  const lastMessage = chat.messages.at(-1);
  const facts: ChatAnswer = {
    id,
    created: Math.floor(Date.now() / 1000),
    model: name,
    chat,
    promptTokenIds: chat.returnTokenIds ? Array.from(promptTokenIds) : [],
    echoed: chat.echo && lastMessage?.role === 'assistant' ? lastMessage.content : '',
  };
  return chat.stream
    ? stream(context, request, reply, generation, facts)
    : complete(context, request, generation, facts);
}

async function complete(
  { model: { tokenizer } }: ServerContext,
  request: FastifyRequest,
  generation: Generation,
  { id, created, model, chat, promptTokenIds, echoed }: ChatAnswer,
): Promise<unknown> {
  const outputs = await collect(generation, 1);
  recordOutputs(request.access, outputs);
  const output = outputs[0]!;
  return {
    id,
    object: 'chat.completion',
    created,
    model,
    choices: [
      {
        index: 0,
        message: { role: 'assistant', content: echoed + output.text, refusal: null },
        logprobs: chat.logprobs === undefined ? null : toChatLogprobs(output.logprobs, tokenizer),
        finish_reason: output.finishReason,
        stop_reason: output.stopReason ?? null,
        ...(chat.returnTokenIds ? { token_ids: output.tokenIds } : {}),
      },
    ],
    usage: toUsageBody([output.usage]),
    ...(chat.returnTokenIds ? { prompt_token_ids: promptTokenIds } : {}),
    ...(output.promptLogprobs === undefined
      ? {}
      : { prompt_logprobs: toPromptLogprobs(output.promptLogprobs, tokenizer) }),
  };
}

function stream(
  { model: { tokenizer }, options }: ServerContext,
  request: FastifyRequest,
  reply: FastifyReply,
  generation: Generation,
  { id, created, model, chat, promptTokenIds, echoed }: ChatAnswer,
): Promise<FastifyReply> {
  const { includeUsage, returnTokenIds, logprobs } = chat;
  const chunks = new ChunkWriter({ id, object: 'chat.completion.chunk', created, model, includeUsage });
  const role = chunks.role(returnTokenIds ? JSON.stringify(promptTokenIds) : undefined);
  return streamGeneration(request, reply, generation, {
    numPrompts: 1,
    stallTimeoutMs: options.stallTimeoutMs,
    preamble: echoed === '' ? role : role + chunks.text(0, echoed),
    frame: ([, delta]) => {
      const isPlain = delta.finishReason === undefined && logprobs === undefined && !returnTokenIds;
      if (isPlain) return delta.text === '' ? '' : chunks.text(0, delta.text);
      return chunks.full(0, delta.text, delta, {
        logprobs: logprobs === undefined ? undefined : JSON.stringify(toChatLogprobs(delta.logprobs ?? [], tokenizer)),
        tokenIds: returnTokenIds ? JSON.stringify(delta.tokenIds) : undefined,
      });
    },
    usageFrame: includeUsage ? (usage) => chunks.usage(usage) : undefined,
    usage: (usage) => usage,
  });
}
