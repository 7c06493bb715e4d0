import { setImmediate as nextTurn } from 'node:timers/promises';
import type { GenerateRequest, OutputDelta, PositionLogprobs, RequestUsage } from '@kvasir/interfaces';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Generation } from '../generation.js';
import { randomId } from '../http/request-id.js';
import { type CompletionRequest, type Prompt, parseCompletionRequest } from '../requests/completion-request.js';
import { settleMaxTokens } from '../requests/context-length.js';
import { invalidField } from '../requests/field-reader.js';
import { toSamplingParams } from '../requests/sampling-fields.js';
import { type ServerContext, servedName, startGeneration } from '../server-context.js';
import { ChunkWriter } from '../wire/frames.js';
import { type CompletionLogprobs, countCodePoints, toCompletionLogprobs, toPromptLogprobs } from '../wire/logprobs.js';
import { toUsageBody } from '../wire/usage.js';
import { type CollectedOutput, collect, recordOutputs } from './collected-output.js';
import { SEED_HEADER } from './seed-header.js';
import { streamGeneration } from './stream-generation.js';

const DEFAULT_MAX_TOKENS = 16;
/** Characters that are tokenized in one turn of the event loop, unless one prompt is longer. */
const CHARACTERS_A_TURN = 32_768;

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
export function addCompletions(fastify: FastifyInstance, context: ServerContext): void {
  fastify.post('/v1/completions', (request, reply) => answer(context, request, reply));
}

async function answer(context: ServerContext, request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
  const { maxLogprobs, maxPrompts } = context.options;
  const { vocabSize } = context.model.tokenizer;
  const body = parseCompletionRequest(request.body, { maxLogprobs, maxPrompts, vocabSize });
  const model = servedName(context, body.model);
  Object.assign(request.access, { model, user: body.user, metadata: body.metadata });
  const id = `cmpl-${randomId()}`;
  const runs = await planRuns(context, body, id);
  const requests = runs.map((run) => run.request);
  const generation = startGeneration(context, requests, reply.raw, request.access);
  reply.header(SEED_HEADER, requests.map(({ sampling }) => sampling.seed).join(','));
  const facts: CompletionAnswer = {
    id,
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
async function planRuns(context: ServerContext, body: CompletionRequest, id: string): Promise<readonly PromptRun[]> {
  const runs: PromptRun[] = [];
  const isList = body.prompts.length > 1;
  let numCharacters = 0;
  for (const [i, prompt] of body.prompts.entries()) {
    numCharacters += prompt.length;
    if (i > 0 && numCharacters > CHARACTERS_A_TURN) {
      await nextTurn();
      numCharacters = prompt.length;
    }
    const names = isList ? { requestId: `${id}-${i}`, path: `prompt[${i}]` } : { requestId: id, path: 'prompt' };
    runs.push(planRun(context, body, prompt, names));
  }
  return runs;
}

function planRun(
  { model, promptBound }: ServerContext,
  body: CompletionRequest,
  prompt: Prompt,
  { requestId, path }: { readonly requestId: string; readonly path: string },
): PromptRun {
  const { tokenizer, engine } = model;
  if (typeof prompt === 'string') promptBound.check(prompt, path);
  const promptTokenIds = typeof prompt === 'string' ? tokenizer.encode(prompt) : prompt;
  if (promptTokenIds.length === 0) throw invalidField(path, prompt, 'at least one token; send some text');
  const maxTokens = settleMaxTokens({
    parameter: path,
    promptTokens: promptTokenIds.length,
    maxModelLen: engine.limits.maxModelLen,
    asked: body.maxTokens === undefined ? undefined : Math.max(1, body.maxTokens),
    fallback: DEFAULT_MAX_TOKENS,
  });
  const { logprobs } = body;
  const sampling = toSamplingParams(body.sampling, {
    maxTokens,
    logprobs,
    vocabSize: tokenizer.vocabSize,
    drawSeed: () => engine.drawSeed(),
  });
  const promptLogprobs = sampling.promptLogprobs ?? (body.echo ? logprobs : undefined);
  const echoed = typeof prompt === 'string' ? prompt : tokenizer.decode(prompt, { skipSpecialTokens: false });
  return {
    request: { requestId, promptTokenIds, sampling: { ...sampling, promptLogprobs } },
    echoed: body.echo ? echoed : '',
  };
}

async function complete(
  context: ServerContext,
  request: FastifyRequest,
  generation: Generation,
  answer: CompletionAnswer,
): Promise<unknown> {
  const outputs = (await collect(generation, answer.runs.length)).map((output) =>
    answer.hidesOutput
      ? { ...output, text: '', tokenIds: [], logprobs: [], usage: withoutOutput(output.usage) }
      : output,
  );
  recordOutputs(request.access, outputs);
  const { id, created, model } = answer;
  return {
    id,
    object: 'text_completion',
    created,
    model,
    choices: outputs.map((output, i) => toChoice(context, answer, output, i)),
    usage: toUsageBody(outputs.map((output) => output.usage)),
  };
}

function toChoice(
  { model: { tokenizer } }: ServerContext,
  { body, runs }: CompletionAnswer,
  output: CollectedOutput,
  index: number,
): unknown {
  const { request, echoed } = runs[index]!;
  const { returnTokenIds, logprobs, echo, sampling } = body;
  return {
    index,
    text: echoed + output.text,
    logprobs:
      logprobs === undefined
        ? null
        : echo
          ? toCompletionLogprobs(
              [...request.promptTokenIds, ...output.tokenIds],
              [...(output.promptLogprobs ?? []), ...output.logprobs],
              tokenizer,
              0,
            )
          : toCompletionLogprobs(output.tokenIds, output.logprobs, tokenizer, 0),
    finish_reason: output.finishReason,
    stop_reason: output.stopReason ?? null,
    ...(sampling.promptLogprobs === undefined
      ? {}
      : { prompt_logprobs: toPromptLogprobs(output.promptLogprobs ?? [], tokenizer) }),
    ...(returnTokenIds ? { prompt_token_ids: Array.from(request.promptTokenIds), token_ids: output.tokenIds } : {}),
  };
}

function stream(
  context: ServerContext,
  request: FastifyRequest,
  reply: FastifyReply,
  generation: Generation,
  answer: CompletionAnswer,
): Promise<FastifyReply> {
  const { id, created, model, body, runs, hidesOutput } = answer;
  const { includeUsage, returnTokenIds } = body;
  const chunks = new ChunkWriter({ id, object: 'text_completion', created, model, includeUsage });
  const isPlain = body.logprobs === undefined && !returnTokenIds && !hidesOutput;
  const progress = runs.map(() => ({ started: false, offset: 0 }));
  return streamGeneration(request, reply, generation, {
    numPrompts: runs.length,
    stallTimeoutMs: context.options.stallTimeoutMs,
    preamble: '',
    frame: ([prompt, delta]) => {
      const { request: run, echoed } = runs[prompt]!;
      const state = progress[prompt]!;
      const isFirst = !state.started;
      state.started = true;
      const text = (isFirst ? echoed : '') + (hidesOutput ? '' : delta.text);
      if (isPlain && delta.finishReason === undefined) return text === '' ? '' : chunks.text(prompt, text);
      if (hidesOutput && !isFirst && delta.finishReason === undefined) return '';
      const tokenIds = hidesOutput ? [] : delta.tokenIds;
      const logprobs = streamedLogprobs(context, answer, { run, delta, tokenIds, isFirst, offset: state.offset });
      state.offset += countCodePoints(text);
      return chunks.full(prompt, text, delta, {
        logprobs: logprobs === undefined ? undefined : JSON.stringify(logprobs),
        tokenIds: returnTokenIds ? JSON.stringify(tokenIds) : undefined,
        promptTokenIds: returnTokenIds && isFirst ? JSON.stringify(Array.from(run.promptTokenIds)) : undefined,
      });
    },
    usageFrame: includeUsage ? (usage) => chunks.usage(usage) : undefined,
    usage: (usage) => (hidesOutput ? withoutOutput(usage) : usage),
  });
}

function streamedLogprobs(
  { model: { tokenizer } }: ServerContext,
  { body }: CompletionAnswer,
  part: {
    readonly run: GenerateRequest;
    readonly delta: OutputDelta;
    readonly tokenIds: readonly number[];
    readonly isFirst: boolean;
    readonly offset: number;
  },
): CompletionLogprobs | undefined {
  if (body.logprobs === undefined) return undefined;
  const echoes = body.echo && part.isFirst;
  const ids = echoes ? [...part.run.promptTokenIds, ...part.tokenIds] : part.tokenIds;
  const prompt: readonly (PositionLogprobs | undefined)[] = echoes ? (part.delta.promptLogprobs ?? []) : [];
  return toCompletionLogprobs(ids, [...prompt, ...(part.delta.logprobs ?? [])], tokenizer, part.offset);
}

function withoutOutput(usage: RequestUsage): RequestUsage {
  return { ...usage, completionTokens: 0 };
}
