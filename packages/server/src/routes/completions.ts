import type { GenerateRequest, OutputDelta, PositionLogprobs, RequestUsage } from '@kvasir/interfaces';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Generation } from '../generation.js';
import { mapInTurns } from '../map-in-turns.js';
import { type CompletionRequest, parseCompletionRequest } from '../requests/completion-request.js';
import type { Prompt } from '../requests/prompts.js';
import { invalidField } from '../schema/field-errors.js';
import { type GenerationContext, startGeneration } from '../server-context.js';
import { ChunkWriter } from '../wire/frames.js';
import {
  type CompletionLogprobs,
  countCodePoints,
  toCompletionLogprobs,
  tokenNames,
  toPromptLogprobs,
} from '../wire/logprobs.js';
import { toUsageBody } from '../wire/usage.js';
import { createAnswerIds } from './answer-ids.js';
import { type CollectedChoice, type CollectedOutput, collect, recordOutputs } from './collected-output.js';
import { planRequest } from './plan-request.js';
import { SEED_HEADER } from './seed-header.js';
import { streamGeneration } from './stream-generation.js';

const DEFAULT_MAX_TOKENS = 16;

/** One prompt on its way. */
interface PromptRun {
  readonly request: GenerateRequest;
  /** Text that `echo` puts first, else `''`. */
  readonly echoed: string;
}

/** What an answer needs besides the generation. */
interface CompletionAnswer {
  readonly id: string;
  readonly created: number;
  readonly model: string;
  readonly body: CompletionRequest;
  readonly runs: readonly PromptRun[];
  /** `echo` with `max_tokens` 0: the engine makes one token because it must, and nobody sees it. */
  readonly hidesOutput: boolean;
}

/** `POST /v1/completions`. */
export function addCompletions(fastify: FastifyInstance, context: GenerationContext): void {
  fastify.post('/v1/completions', (request, reply) => answer(context, request, reply));
}

async function answer(context: GenerationContext, request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
  const body = parseCompletionRequest(context.schemas.completion, request.body, context.sampling);
  const model = context.models.languageName(body.model);
  Object.assign(request.access, { model, user: body.user, metadata: body.metadata });
  const ids = createAnswerIds('cmpl', body.requestId, request.id);
  const runs = await planRuns(context, body, ids.engineId);
  const requests = runs.map((run) => run.request);
  const client = { names: ids.names, response: reply.raw, access: request.access };
  const generation = startGeneration(context, requests, client);
  reply.header(SEED_HEADER, requests.map(({ sampling }) => sampling.seed).join(','));
  const facts: CompletionAnswer = {
    id: ids.id,
    created: Math.floor(Date.now() / 1000),
    model,
    body,
    runs,
    hidesOutput: body.maxTokens === 0,
  };
  return body.stream
    ? stream(context, request, reply, generation, facts)
    : complete(context, request, generation, facts);
}

/** Tokenizes every prompt; others get their turn between long ones. */
function planRuns(context: GenerationContext, body: CompletionRequest, id: string): Promise<readonly PromptRun[]> {
  const isList = body.prompts.length > 1;
  return mapInTurns(
    body.prompts,
    (prompt) => prompt.length,
    (prompt, i) => {
      const names = isList ? { requestId: `${id}-${i}`, path: `prompt[${i}]` } : { requestId: id, path: 'prompt' };
      return planRun(context, body, prompt, names);
    },
  );
}

function planRun(
  context: GenerationContext,
  body: CompletionRequest,
  prompt: Prompt,
  { requestId, path }: { readonly requestId: string; readonly path: string },
): PromptRun {
  const { tokenizer } = context.model;
  const { echo, logprobs, addSpecialTokens } = body;
  if (typeof prompt === 'string') context.promptBound.check(prompt, path);
  const tokenIds = typeof prompt === 'string' ? tokenizer.encode(prompt, { addSpecialTokens }) : prompt;
  if (tokenIds.length === 0) throw invalidField(path, prompt, 'at least one token; send some text');
  const request = planRequest(context, {
    requestId,
    parameter: path,
    tokenIds,
    fields: body,
    maxTokens: body.maxTokens === undefined ? undefined : Math.max(1, body.maxTokens),
    fallbackTokens: context.sampling.defaults.maxTokens ?? DEFAULT_MAX_TOKENS,
    logprobs,
    bestOf: body.bestOf,
  });
  const promptLogprobs = request.sampling.promptLogprobs ?? (echo ? logprobs : undefined);
  return {
    request: { ...request, sampling: { ...request.sampling, promptLogprobs } },
    echoed: echo ? echoOf(context, prompt, request.promptTokenIds, tokenIds) : '',
  };
}

/** The prompt as it came, unless it came as token ids or was cut. */
function echoOf({ model }: GenerationContext, prompt: Prompt, used: Int32Array, sent: Int32Array): string {
  if (typeof prompt === 'string' && used === sent) return prompt;
  return model.tokenizer.decode(used, { skipSpecialTokens: false });
}

async function complete(
  context: GenerationContext,
  request: FastifyRequest,
  generation: Generation,
  answer: CompletionAnswer,
): Promise<unknown> {
  const { id, created, model, body, runs, hidesOutput } = answer;
  const outputs = await collect(generation, runs.length, body.n);
  const usages = outputs.map(({ usage }) => (hidesOutput ? withoutOutput(usage) : usage));
  const choices = outputs.flatMap((output, prompt) =>
    output.choices.map((choice, i) => {
      const shown = hidesOutput ? { ...choice, text: '', tokenIds: [], logprobs: [] } : choice;
      return toChoice(context, answer, { index: prompt * body.n + i, run: runs[prompt]!, output, choice: shown });
    }),
  );
  recordOutputs(
    request.access,
    usages,
    outputs.flatMap((output) => output.choices.map(({ finishReason }) => finishReason)),
  );
  return { id, object: 'text_completion', created, model, choices, usage: toUsageBody(usages) };
}

function toChoice(
  { model: { tokenizer } }: GenerationContext,
  { body }: CompletionAnswer,
  part: {
    readonly index: number;
    readonly run: PromptRun;
    readonly output: CollectedOutput;
    readonly choice: CollectedChoice;
  },
): unknown {
  const { index, run, output, choice } = part;
  const { returnTokenIds, logprobs, echo, sampling } = body;
  const nameOf = tokenNames(tokenizer, body.tokensAsIds);
  const promptTokenIds = Array.from(run.request.promptTokenIds);
  const [tokenIds, positions] = echo
    ? [
        [...promptTokenIds, ...choice.tokenIds],
        [...(output.promptLogprobs ?? []), ...choice.logprobs],
      ]
    : [choice.tokenIds, choice.logprobs];
  return {
    index,
    text: run.echoed + choice.text,
    logprobs:
      logprobs === undefined ? null : toCompletionLogprobs(tokenIds, positions, { tokenizer, nameOf, startOffset: 0 }),
    finish_reason: choice.finishReason,
    stop_reason: choice.stopReason ?? null,
    ...(sampling.promptLogprobs === undefined
      ? {}
      : { prompt_logprobs: toPromptLogprobs(output.promptLogprobs ?? [], nameOf) }),
    ...(returnTokenIds ? { prompt_token_ids: promptTokenIds, token_ids: choice.tokenIds } : {}),
  };
}

function stream(
  context: GenerationContext,
  request: FastifyRequest,
  reply: FastifyReply,
  generation: Generation,
  answer: CompletionAnswer,
): Promise<FastifyReply> {
  const { id, created, model, body, runs, hidesOutput } = answer;
  const { includeUsage, continuousUsage, returnTokenIds, n } = body;
  const chunks = new ChunkWriter({ id, object: 'text_completion', created, model, includeUsage });
  const isPlain = body.logprobs === undefined && !returnTokenIds && !hidesOutput && !continuousUsage;
  const shownUsage = (usage: RequestUsage) => (hidesOutput ? withoutOutput(usage) : usage);
  const progress = Array.from({ length: runs.length * n }, () => ({ started: false, offset: 0 }));
  /** Log-probabilities of a prompt come with its first delta, whichever choice that is of. */
  const promptLogprobs: OutputDelta['promptLogprobs'][] = [];
  return streamGeneration(request, reply, generation, {
    context,
    preamble: () => '',
    frame: ([prompt, delta]) => {
      const { request: run, echoed } = runs[prompt]!;
      const index = prompt * n + delta.index;
      const state = progress[index]!;
      const isFirst = !state.started;
      state.started = true;
      promptLogprobs[prompt] ??= delta.promptLogprobs;
      const text = (isFirst ? echoed : '') + (hidesOutput ? '' : delta.text);
      if (isPlain && delta.finishReason === undefined) return text === '' ? '' : chunks.text(index, text);
      if (hidesOutput && !isFirst && delta.finishReason === undefined) return '';
      const tokenIds = hidesOutput ? [] : delta.tokenIds;
      const logprobs = streamedLogprobs(context, answer, {
        tokenIds: body.echo && isFirst ? [...run.promptTokenIds, ...tokenIds] : tokenIds,
        positions: [...(body.echo && isFirst ? (promptLogprobs[prompt] ?? []) : []), ...(delta.logprobs ?? [])],
        offset: state.offset,
      });
      state.offset += countCodePoints(text);
      return chunks.full(index, text, delta, {
        logprobs: logprobs === undefined ? undefined : JSON.stringify(logprobs),
        tokenIds: returnTokenIds ? JSON.stringify(tokenIds) : undefined,
        promptTokenIds: returnTokenIds && isFirst ? JSON.stringify(Array.from(run.promptTokenIds)) : undefined,
        usage: continuousUsage ? JSON.stringify(toUsageBody([shownUsage(delta.usage)])) : undefined,
      });
    },
    usageFrame: includeUsage ? (usage) => chunks.usage(usage) : undefined,
    usage: shownUsage,
  });
}

function streamedLogprobs(
  { model: { tokenizer } }: GenerationContext,
  { body }: CompletionAnswer,
  part: {
    readonly tokenIds: readonly number[];
    readonly positions: readonly (PositionLogprobs | undefined)[];
    readonly offset: number;
  },
): CompletionLogprobs | undefined {
  if (body.logprobs === undefined) return undefined;
  const nameOf = tokenNames(tokenizer, body.tokensAsIds);
  return toCompletionLogprobs(part.tokenIds, part.positions, { tokenizer, nameOf, startOffset: part.offset });
}

function withoutOutput(usage: RequestUsage): RequestUsage {
  return { ...usage, completionTokens: 0 };
}
