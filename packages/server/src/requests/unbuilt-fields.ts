import { RequestError } from '../errors.js';
import { describeValue } from './describe-value.js';
import type { FieldReader } from './field-reader.js';

/** Says whether a value asks for nothing, so that it may be accepted although the field is not built. */
interface Harmless {
  readonly accepts: (value: unknown) => boolean;
  readonly hint: string;
}

type UnbuiltFields = Readonly<Record<string, Harmless>>;

const never: Harmless = { accepts: () => false, hint: 'leave it out' };
const emptyArray: Harmless = {
  accepts: (value) => Array.isArray(value) && value.length === 0,
  hint: 'send [] or leave it out',
};
const emptyObject: Harmless = { accepts: isEmptyObject, hint: 'send {} or leave it out' };
const anyBoolean: Harmless = { accepts: (value) => typeof value === 'boolean', hint: 'leave it out' };

/** OpenAI's fields of both routes, then vLLM's. */
const SHARED: UnbuiltFields = {
  n: only(1),
  frequency_penalty: only(0),
  presence_penalty: only(0),
  logit_bias: emptyObject,
  response_format: { accepts: isTextFormat, hint: `send {"type": "text"} or leave it out` },

  allowed_token_ids: never,
  bad_words: emptyArray,
  cache_salt: never,
  early_stopping: only(false),
  ec_transfer_params: never,
  guided_choice: never,
  guided_grammar: never,
  guided_json: never,
  guided_regex: never,
  include_stop_str_in_output: only(false),
  kv_transfer_params: never,
  length_penalty: only(1),
  logprob_token_ids: never,
  min_p: only(0),
  priority: only(0),
  repetition_detection: never,
  repetition_penalty: only(1),
  request_id: never,
  return_token_offsets: only(false),
  return_tokens_as_token_ids: only(false),
  session_id: never,
  skip_special_tokens: only(true),
  spaces_between_special_tokens: only(true),
  stop_token_ids: emptyArray,
  stream_interval: only(1),
  structured_outputs: never,
  thinking_token_budget: only(-1),
  truncate_prompt_tokens: never,
  truncation_side: never,
  typical_p: only(1),
  use_beam_search: only(false),
  vllm_xargs: emptyObject,
  watermarking: only(false),
};

/** Fields of `/v1/chat/completions` that are known and not built. */
export const UNBUILT_CHAT_FIELDS: UnbuiltFields = {
  ...SHARED,
  audio: never,
  function_call: only('none', 'auto'),
  functions: emptyArray,
  modalities: { accepts: isTextOnly, hint: 'send ["text"] or leave it out' },
  moderation: never,
  parallel_tool_calls: anyBoolean,
  prediction: never,
  prompt_cache_key: never,
  prompt_cache_options: emptyObject,
  prompt_cache_retention: never,
  reasoning_effort: only('none'),
  safety_identifier: never,
  service_tier: only('auto', 'default'),
  tool_choice: only('none', 'auto'),
  tools: emptyArray,
  verbosity: only('medium'),
  web_search_options: never,

  add_generation_prompt: only(true),
  add_special_tokens: only(false),
  chat_template: never,
  chat_template_kwargs: emptyObject,
  continue_final_message: only(false),
  documents: emptyArray,
  include_reasoning: anyBoolean,
  media_io_kwargs: emptyObject,
  mm_processor_kwargs: emptyObject,
};

/** Fields of `/v1/completions` that are known and not built. */
export const UNBUILT_COMPLETION_FIELDS: UnbuiltFields = {
  ...SHARED,
  add_special_tokens: only(true),
  best_of: only(1),
  prompt_embeds: emptyArray,
  suffix: only(''),
};

/** Fields of a chat message that are known and not built. */
export const UNBUILT_MESSAGE_FIELDS: UnbuiltFields = {
  annotations: emptyArray,
  audio: never,
  function_call: never,
  reasoning: never,
  reasoning_content: never,
  refusal: never,
  tool_call_id: never,
  tool_calls: emptyArray,
};

/** Fields of `/tokenize` that are known and not built. */
export const UNBUILT_TOKENIZE_FIELDS: UnbuiltFields = {
  chat_template: never,
  chat_template_kwargs: emptyObject,
  continue_final_message: only(false),
  mm_processor_kwargs: emptyObject,
  return_token_offsets: only(false),
  tools: emptyArray,
};

/** @throws {@link RequestError} When one of `unbuilt` is there and asks for something. */
export function refuseUnbuilt(fields: FieldReader, unbuilt: UnbuiltFields): void {
  for (const [name, harmless] of Object.entries(unbuilt)) {
    const value = fields.raw(name);
    if (value === undefined || harmless.accepts(value)) continue;
    const path = fields.path(name);
    throw new RequestError(
      'ERR_UNSUPPORTED_FIELD',
      `'${path}' is ${describeValue(value)}, which this server does not support; ${harmless.hint}`,
      path,
    );
  }
}

function only(...values: readonly (string | number | boolean)[]): Harmless {
  const listed = values.map((value) => JSON.stringify(value)).join(' or ');
  return { accepts: (value) => values.includes(value as string), hint: `send ${listed} or leave it out` };
}

function isEmptyObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && Object.keys(value).length === 0;
}

function isTextFormat(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const keys = Object.keys(value);
  return keys.length === 1 && (value as { type?: unknown }).type === 'text';
}

function isTextOnly(value: unknown): boolean {
  return Array.isArray(value) && value.length === 1 && value[0] === 'text';
}
