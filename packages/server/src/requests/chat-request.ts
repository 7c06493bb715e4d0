import type { ChatMessage } from '@kvasir/interfaces';
import { RequestError } from '../errors.js';
import { flag, integer, optionalAll, record, type Static } from '../schema/builders.js';
import { checkBody } from '../schema/check-body.js';
import {
  type GenerationFields,
  generationFields,
  readGeneration,
  refusePromptLogprobsInStream,
} from './generation-fields.js';
import { messagesSchema, toChatMessages } from './messages.js';
import type { RequestLimits } from './request-limits.js';
import { readSampling, type SamplingContext, type SamplingFields, samplingFields } from './sampling-fields.js';
import { readTemplate, type TemplateFields, templateFields } from './template-fields.js';
import { UNBUILT_CHAT } from './unbuilt-fields.js';

/** A checked body of `POST /v1/chat/completions`. */
export interface ChatRequest extends GenerationFields {
  readonly messages: readonly ChatMessage[];
  readonly sampling: SamplingFields;
  readonly template: TemplateFields & { readonly addSpecialTokens: boolean };
  /** `undefined`: the rest of the context. */
  readonly maxTokens: number | undefined;
  /** Alternatives a token; `undefined` reports no log-probabilities. */
  readonly logprobs: number | undefined;
}

/** Schema of the body of `POST /v1/chat/completions`. */
export function chatSchema(limits: RequestLimits) {
  return record({
    messages: messagesSchema,
    ...generationFields(limits),
    ...optionalAll({
      max_completion_tokens: integer({ minimum: 1, description: 'Default: the rest of the context.' }),
      max_tokens: integer({ minimum: 1, description: 'The old name of max_completion_tokens.' }),
      logprobs: flag({ description: 'Report log-probabilities. Default false.' }),
      top_logprobs: integer({
        minimum: 0,
        maximum: limits.maxLogprobs,
        description: 'Alternatives a token. Default 0.',
      }),
    }),
    ...samplingFields(limits),
    ...templateFields,
    ...optionalAll(UNBUILT_CHAT),
  });
}

type ChatSchema = ReturnType<typeof chatSchema>;

/** @throws {@link RequestError} Naming the first field that cannot be used. */
export function parseChatRequest(schema: ChatSchema, value: unknown, context: SamplingContext): ChatRequest {
  const body = checkBody(schema, value);
  refusePromptLogprobsInStream(body);
  return {
    ...readGeneration(body),
    messages: toChatMessages(body.messages),
    sampling: readSampling(body, context),
    template: { ...readTemplate(body), addSpecialTokens: body.add_special_tokens ?? false },
    maxTokens: readMaxTokens(body),
    logprobs: readLogprobs(body),
  };
}

function readMaxTokens(body: Static<ChatSchema>): number | undefined {
  const { max_tokens: maxTokens, max_completion_tokens: maxCompletionTokens } = body;
  if (maxTokens != null && maxCompletionTokens != null && maxTokens !== maxCompletionTokens) {
    throw new RequestError(
      'ERR_INVALID_FIELD',
      `'max_tokens' is ${maxTokens} and 'max_completion_tokens' is ${maxCompletionTokens}, expected one of them or equal values`,
      'max_tokens',
    );
  }
  return maxCompletionTokens ?? maxTokens ?? undefined;
}

function readLogprobs({ logprobs, top_logprobs: top }: Static<ChatSchema>): number | undefined {
  if (logprobs === true) return top ?? 0;
  if (top != null && top > 0) {
    throw new RequestError(
      'ERR_INVALID_FIELD',
      `'top_logprobs' is ${top} although 'logprobs' is not true; set logprobs to true or leave top_logprobs out`,
      'top_logprobs',
    );
  }
  return undefined;
}
