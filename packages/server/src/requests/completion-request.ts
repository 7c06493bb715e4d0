import { RequestError } from '../errors.js';
import { refusePromptLogprobsInStream } from './chat-request.js';
import { FieldReader, invalidField, wellFormed } from './field-reader.js';
import {
  type LoggedFields,
  readLogged,
  readSampling,
  readStream,
  type SamplingFields,
  type StreamFields,
} from './sampling-fields.js';
import { refuseUnbuilt, UNBUILT_COMPLETION_FIELDS } from './unbuilt-fields.js';

/** One prompt: text, or token ids that are within the vocabulary. */
export type Prompt = string | Int32Array;

/** A checked body of `POST /v1/completions`. */
export interface CompletionRequest extends StreamFields, LoggedFields {
  readonly model: string | undefined;
  readonly prompts: readonly Prompt[];
  readonly sampling: SamplingFields;
  /** 0 only with `echo`: the prompt alone is answered. `undefined`: 16. */
  readonly maxTokens: number | undefined;
  readonly logprobs: number | undefined;
  readonly echo: boolean;
  readonly returnTokenIds: boolean;
}

/** Bounds that the server sets. */
export interface CompletionLimits {
  readonly maxLogprobs: number;
  readonly maxPrompts: number;
  readonly vocabSize: number;
}

/** @throws {@link RequestError} Naming the first field that cannot be used. */
export function parseCompletionRequest(body: unknown, limits: CompletionLimits): CompletionRequest {
  const fields = new FieldReader(body);
  const model = fields.string('model');
  const prompts = readPrompts(fields, limits);
  const sampling = readSampling(fields, limits.maxLogprobs);
  const streaming = readStream(fields);
  refusePromptLogprobsInStream(sampling, streaming);
  const echo = fields.boolean('echo') ?? false;
  const request: CompletionRequest = {
    model,
    prompts,
    sampling,
    ...streaming,
    ...readLogged(fields),
    maxTokens: readMaxTokens(fields, echo),
    logprobs: fields.integer('logprobs', { min: 0, max: limits.maxLogprobs }),
    echo,
    returnTokenIds: fields.boolean('return_token_ids') ?? false,
  };
  refuseUnbuilt(fields, UNBUILT_COMPLETION_FIELDS);
  fields.finish();
  return request;
}

function readMaxTokens(fields: FieldReader, echo: boolean): number | undefined {
  const maxTokens = fields.integer('max_tokens', { min: 0 });
  if (maxTokens !== 0 || echo) return maxTokens;
  throw fields.invalid('max_tokens', 0, 'at least 1; 0 is for echo only, which returns the prompt alone');
}

function readPrompts(fields: FieldReader, limits: CompletionLimits): readonly Prompt[] {
  const value = fields.raw('prompt');
  if (value === undefined) throw fields.missing('prompt', 'a string, token ids, or an array of either');
  if (typeof value === 'string') return [wellFormed(value, 'prompt')];
  if (!Array.isArray(value) || value.length === 0) {
    throw fields.invalid('prompt', value, 'a string, token ids, or a non-empty array of either');
  }
  if (typeof value[0] === 'number') return [readTokenIds(value, 'prompt', limits.vocabSize)];
  if (value.length > limits.maxPrompts) {
    throw new RequestError(
      'ERR_INVALID_FIELD',
      `'prompt' has ${value.length} prompts, expected at most ${limits.maxPrompts}; send them in several requests`,
      'prompt',
    );
  }
  return value.map((each: unknown, i) => readPrompt(each, `prompt[${i}]`, limits.vocabSize));
}

function readPrompt(value: unknown, path: string, vocabSize: number): Prompt {
  if (typeof value === 'string') return wellFormed(value, path);
  if (Array.isArray(value) && value.length > 0) return readTokenIds(value, path, vocabSize);
  throw invalidField(path, value, 'a string or a non-empty array of token ids');
}

/** Token ids within the vocabulary. @throws {@link RequestError} Naming the first that is not. */
export function readTokenIds(value: readonly unknown[], path: string, vocabSize: number): Int32Array {
  const ids = new Int32Array(value.length);
  for (let i = 0; i < value.length; i++) {
    const id = value[i];
    if (!Number.isInteger(id) || (id as number) < 0 || (id as number) >= vocabSize) {
      throw invalidField(`${path}[${i}]`, id, `a token id from 0 to ${vocabSize - 1}`);
    }
    ids[i] = id as number;
  }
  return ids;
}
