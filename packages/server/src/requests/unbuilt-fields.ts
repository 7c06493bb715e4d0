import { flag, never, only, onlyEmptyArray, onlyEmptyObject, type TProperties, unbuilt } from '../schema/builders.js';

/** Fields of OpenAI and vLLM that both generation routes know and neither builds. */
const UNBUILT_SHARED = {
  response_format: unbuilt(
    {
      type: 'object',
      properties: { type: { const: 'text' } },
      required: ['type'],
      additionalProperties: false,
      description: 'Text only: structured output is not supported.',
    },
    'send {"type": "text"} or leave it out',
  ),

  ec_transfer_params: never(),
  guided_choice: never(),
  guided_grammar: never(),
  guided_json: never(),
  guided_regex: never(),
  kv_transfer_params: never(),
  logprob_token_ids: never(),
  repetition_detection: never(),
  return_token_offsets: only(false),
  session_id: never(),
  stream_interval: only(1),
  structured_outputs: never(),
  thinking_token_budget: only(-1),
  vllm_xargs: onlyEmptyObject(),
  watermarking: only(false),
} satisfies TProperties;

/** Fields of `/v1/chat/completions` that are known and not built. */
export const UNBUILT_CHAT = {
  ...UNBUILT_SHARED,
  audio: never(),
  function_call: only('none', 'auto'),
  functions: onlyEmptyArray(),
  modalities: unbuilt(
    { type: 'array', items: { const: 'text' }, minItems: 1, maxItems: 1 },
    'send ["text"] or leave it out',
  ),
  moderation: never(),
  parallel_tool_calls: flag({ description: 'Without effect: there are no tools to call.' }),
  prediction: never(),
  prompt_cache_options: onlyEmptyObject(),
  prompt_cache_retention: only('in_memory'),
  reasoning_effort: only('none'),
  service_tier: only('auto', 'default'),
  tool_choice: only('none', 'auto'),
  tools: onlyEmptyArray(),
  verbosity: only('medium'),
  web_search_options: never(),

  documents: onlyEmptyArray(),
  include_reasoning: flag({ description: 'Without effect: reasoning is not told apart from the answer.' }),
  media_io_kwargs: onlyEmptyObject(),
  mm_processor_kwargs: onlyEmptyObject(),
} satisfies TProperties;

/** Fields of `/v1/completions` that are known and not built. */
export const UNBUILT_COMPLETION = {
  ...UNBUILT_SHARED,
  prompt_embeds: onlyEmptyArray(),
  suffix: only(''),
} satisfies TProperties;

/** Fields of a chat message that are known and not built. */
export const UNBUILT_MESSAGE = {
  annotations: onlyEmptyArray(),
  audio: never(),
  function_call: never(),
  reasoning: never(),
  reasoning_content: never(),
  refusal: never(),
  tool_call_id: never(),
  tool_calls: onlyEmptyArray(),
} satisfies TProperties;

/** Fields of `/tokenize` that are known and not built. */
export const UNBUILT_TOKENIZE = {
  mm_processor_kwargs: onlyEmptyObject(),
  return_token_offsets: only(false),
  tools: onlyEmptyArray(),
} satisfies TProperties;

/** Fields of the routes that embed which are known and not built. */
export const UNBUILT_POOLING = {
  cache_salt: never(),
  mm_processor_kwargs: onlyEmptyObject(),
  padding: only('do_not_pad'),
  priority: only(0),
  truncation_side: only('right'),
  use_activation: never(),
} satisfies TProperties;

/** Fields of `/v1/embeddings` that are known and not built. */
export const UNBUILT_EMBEDDING = {
  add_special_tokens: only(true),
  embed_dtype: only('float32'),
  endianness: only('native', 'little'),
  messages: onlyEmptyArray(),
} satisfies TProperties;

/** Fields of the routes that compare texts which are known and not built. */
export const UNBUILT_SCORING = {
  chat_template_kwargs: onlyEmptyObject(),
  instruction: never(),
} satisfies TProperties;

/** Fields of `/v1/rerank` that are known and not built. */
export const UNBUILT_RERANK = {
  max_chunks_per_doc: never(),
  rank_fields: onlyEmptyArray(),
  return_embeddings: only(false),
} satisfies TProperties;
