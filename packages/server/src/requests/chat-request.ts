import type { ChatMessage } from '@kvasir/interfaces';
import { RequestError } from '../errors.js';
import { FieldReader } from './field-reader.js';
import { readMessages } from './messages.js';
import {
  type LoggedFields,
  readLogged,
  readSampling,
  readStream,
  type SamplingFields,
  type StreamFields,
} from './sampling-fields.js';
import { refuseUnbuilt, UNBUILT_CHAT_FIELDS } from './unbuilt-fields.js';

/** A checked body of `POST /v1/chat/completions`. */
export interface ChatRequest extends StreamFields, LoggedFields {
  readonly model: string | undefined;
  readonly messages: readonly ChatMessage[];
  readonly sampling: SamplingFields;
  /** `undefined`: the rest of the context. */
  readonly maxTokens: number | undefined;
  /** Alternatives a token; `undefined` reports no log-probabilities. */
  readonly logprobs: number | undefined;
  readonly echo: boolean;
  readonly returnTokenIds: boolean;
}

/** @throws {@link RequestError} Naming the first field that cannot be used. */
export function parseChatRequest(body: unknown, maxLogprobs: number): ChatRequest {
  const fields = new FieldReader(body);
  const model = fields.string('model');
  const messages = readMessages(fields);
  const sampling = readSampling(fields, maxLogprobs);
  const streaming = readStream(fields);
  refusePromptLogprobsInStream(sampling, streaming);
  const request: ChatRequest = {
    model,
    messages,
    sampling,
    ...streaming,
    ...readLogged(fields),
    maxTokens: readMaxTokens(fields),
    logprobs: readLogprobs(fields, maxLogprobs),
    echo: fields.boolean('echo') ?? false,
    returnTokenIds: fields.boolean('return_token_ids') ?? false,
  };
  refuseUnbuilt(fields, UNBUILT_CHAT_FIELDS);
  fields.finish();
  return request;
}

/** Prompt log-probabilities have no place in a stream, as in vLLM. @throws {@link RequestError} */
export function refusePromptLogprobsInStream(sampling: SamplingFields, { stream }: StreamFields): void {
  if (!stream || sampling.promptLogprobs === undefined) return;
  throw new RequestError(
    'ERR_UNSUPPORTED_FIELD',
    `'prompt_logprobs' cannot be streamed; set stream to false or leave prompt_logprobs out`,
    'prompt_logprobs',
  );
}

function readMaxTokens(fields: FieldReader): number | undefined {
  const maxTokens = fields.integer('max_tokens', { min: 1 });
  const maxCompletionTokens = fields.integer('max_completion_tokens', { min: 1 });
  if (maxTokens !== undefined && maxCompletionTokens !== undefined && maxTokens !== maxCompletionTokens) {
    throw new RequestError(
      'ERR_INVALID_FIELD',
      `'max_tokens' is ${maxTokens} and 'max_completion_tokens' is ${maxCompletionTokens}, expected one of them or equal values`,
      'max_tokens',
    );
  }
  return maxCompletionTokens ?? maxTokens;
}

function readLogprobs(fields: FieldReader, maxLogprobs: number): number | undefined {
  const logprobs = fields.boolean('logprobs') ?? false;
  const top = fields.integer('top_logprobs', { min: 0, max: maxLogprobs });
  if (!logprobs && top !== undefined && top > 0) {
    throw new RequestError(
      'ERR_INVALID_FIELD',
      `'top_logprobs' is ${top} although 'logprobs' is not true; set logprobs to true or leave top_logprobs out`,
      'top_logprobs',
    );
  }
  return logprobs ? (top ?? 0) : undefined;
}
