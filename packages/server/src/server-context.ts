import type { ServerResponse } from 'node:http';
import type { ChatMessage, GenerateRequest } from '@kvasir/interfaces';
import { RequestError } from './errors.js';
import { Generation } from './generation.js';
import type { AccessRecord } from './http/access-log.js';
import type { LazyMetrics } from './metrics/lazy-metrics.js';
import { quote } from './requests/describe-value.js';
import type { PromptBound } from './requests/prompt-bound.js';
import type { ServedModel } from './served-model.js';
import type { ResolvedServerOptions } from './server-options.js';

/** What routes share. */
export interface ServerContext {
  readonly model: ServedModel;
  /** Names under which clients may ask for the model, the first one being its own in answers. */
  readonly modelNames: readonly string[];
  /** When the server was made, seconds since 1970. */
  readonly createdAt: number;
  readonly options: ResolvedServerOptions;
  readonly metrics: LazyMetrics;
  readonly promptBound: PromptBound;
  /** Generations whose response is not complete, and when it will be. */
  readonly generations: Map<Generation, Promise<void>>;
}

/**
 * Name to answer with.
 * @throws {@link RequestError} `ERR_UNKNOWN_MODEL`.
 */
export function servedName(context: ServerContext, asked: string | undefined): string {
  if (asked === undefined) return context.modelNames[0]!;
  if (context.modelNames.includes(asked)) return asked;
  throw new RequestError(
    'ERR_UNKNOWN_MODEL',
    `model ${quote(asked)} is not served here; ask for ${context.modelNames.map(quote).join(' or ')}`,
    'model',
  );
}

/**
 * Token ids of a rendered chat.
 * @throws {@link RequestError} `ERR_NO_CHAT_TEMPLATE`. @throws `KvasirError` `ERR_CHAT_TEMPLATE`.
 */
export function encodeChat(
  { model, promptBound }: ServerContext,
  messages: readonly ChatMessage[],
  options: { readonly addGenerationPrompt: boolean; readonly addSpecialTokens: boolean },
): Int32Array {
  if (model.chatTemplate === undefined) {
    throw new RequestError(
      'ERR_NO_CHAT_TEMPLATE',
      `model ${quote(model.name)} has no chat template, so it cannot take messages; use /v1/completions with a prompt`,
      'messages',
    );
  }
  const text = model.chatTemplate.render(messages, { addGenerationPrompt: options.addGenerationPrompt });
  promptBound.check(text, 'messages');
  return model.tokenizer.encode(text, { addSpecialTokens: options.addSpecialTokens });
}

/**
 * Submits requests on behalf of one HTTP request. If its socket closes before the answer is complete, they are aborted.
 * @throws `KvasirError` What `submit` threw.
 */
export function startGeneration(
  context: ServerContext,
  requests: readonly GenerateRequest[],
  response: ServerResponse,
  access: AccessRecord,
): Generation {
  if (response.destroyed) throw new RequestError('ERR_GENERATION_ABORTED', 'the client is gone');
  const generation = new Generation(context.model.engine, requests, {
    arrivalMs: access.arrivedAt,
    onFirstToken: () => {
      access.timeToFirstTokenMs = context.options.now() - access.arrivedAt;
    },
  });
  const closed = new Promise<void>((resolve) => {
    response.once('close', () => {
      context.generations.delete(generation);
      generation.abort();
      resolve();
    });
  });
  context.generations.set(generation, closed);
  return generation;
}
