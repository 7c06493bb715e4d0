import { Optional } from '@sinclair/typebox';
import {
  anything,
  constant,
  either,
  flag,
  integer,
  list,
  mapOf,
  nullable,
  number,
  oneOf,
  record,
  type TSchema,
  text,
} from '../schema/builders.js';

const count = integer({ minimum: 0 });
const tokenIds = list(count);
const created = integer({ minimum: 0, description: 'Seconds since 1970.' });

const usage = record({
  prompt_tokens: count,
  completion_tokens: count,
  total_tokens: count,
  prompt_tokens_details: record({
    cached_tokens: integer({ minimum: 0, description: 'Prompt tokens that the prefix cache held.' }),
  }),
});

const chatToken = { token: text(), logprob: number({}), bytes: list(integer({ minimum: 0, maximum: 255 })) };
const chatLogprobs = record({
  content: list(record({ ...chatToken, top_logprobs: list(record(chatToken)) })),
});

const completionLogprobs = record({
  text_offset: list(count, { description: 'In Unicode code points.' }),
  token_logprobs: list(nullable(number({}))),
  tokens: list(text()),
  top_logprobs: list(nullable(mapOf(number({})))),
});

const promptLogprobs = list(
  nullable(mapOf(record({ logprob: number({}), rank: integer({ minimum: 0 }), decoded_token: text() }))),
  { description: 'A position each: token id to its numbers; null for the first.' },
);

const finishReason = oneOf(['stop', 'length']);
const stopReason = nullable(either([text(), count]), {
  description: 'The stop string or stop token that ended it; null for EOS and for length.',
});

const chatChoice = record({
  index: count,
  message: record({ role: constant('assistant'), content: text(), refusal: nullable(text()) }),
  logprobs: nullable(chatLogprobs),
  finish_reason: finishReason,
  stop_reason: stopReason,
  token_ids: Optional(tokenIds),
});

const chatChunkChoice = record({
  index: count,
  delta: record({ role: Optional(constant('assistant')), content: Optional(text()) }),
  logprobs: nullable(chatLogprobs),
  finish_reason: nullable(finishReason),
  stop_reason: Optional(stopReason),
  token_ids: Optional(tokenIds),
});

const completionExtras = {
  logprobs: nullable(completionLogprobs),
  token_ids: Optional(tokenIds),
  prompt_token_ids: Optional(tokenIds),
};

const completionChoice = record({
  index: count,
  text: text(),
  finish_reason: finishReason,
  stop_reason: stopReason,
  prompt_logprobs: Optional(promptLogprobs),
  ...completionExtras,
});

const completionChunkChoice = record({
  index: count,
  text: text(),
  finish_reason: nullable(finishReason),
  stop_reason: Optional(stopReason),
  ...completionExtras,
});

const answerHead = { id: text(), created, model: text() };

const model = record({
  id: text(),
  object: constant('model'),
  created,
  owned_by: text(),
  root: text(),
  parent: nullable(text()),
  max_model_len: integer({ minimum: 1 }),
});

const embeddingUsage = record({ prompt_tokens: count, total_tokens: count });

const place = {
  numerics_id: nullable(text()),
  device: nullable(mapOf(anything())),
  memory: nullable(mapOf(anything())),
};

const tier = oneOf(['pool', 'host']);
const hashes = list(text(), {
  description: 'Of consecutive blocks of one chain, each of its content and all before it.',
});

/** Schemas of what the server answers, by the names that they have in the OpenAPI document. */
export const ANSWER_SCHEMAS = {
  Error: record({
    error: record({
      message: text({ description: 'What, got, expected, what to do.' }),
      type: text(),
      param: nullable(text(), { description: 'Path of the field to blame, `messages[0].role` say.' }),
      code: nullable(text()),
    }),
  }),
  ChatCompletion: record({
    ...answerHead,
    object: constant('chat.completion'),
    choices: list(chatChoice),
    usage,
    prompt_token_ids: Optional(tokenIds),
    prompt_logprobs: Optional(promptLogprobs),
  }),
  ChatCompletionChunk: record({
    ...answerHead,
    object: constant('chat.completion.chunk'),
    choices: list(chatChunkChoice),
    usage: Optional(nullable(usage)),
    prompt_token_ids: Optional(tokenIds),
  }),
  Completion: record({
    ...answerHead,
    object: constant('text_completion'),
    choices: list(completionChoice),
    usage,
  }),
  CompletionChunk: record({
    ...answerHead,
    object: constant('text_completion'),
    choices: list(completionChunkChoice),
    usage: Optional(nullable(usage)),
  }),
  EmbeddingList: record({
    ...answerHead,
    object: constant('list'),
    data: list(
      record({
        object: constant('embedding'),
        index: count,
        embedding: either([list(number({})), text({ description: 'Base64 of little-endian float32.' })]),
      }),
    ),
    usage: embeddingUsage,
  }),
  RerankResults: record({
    id: text(),
    model: text(),
    results: list(
      record({
        index: integer({ minimum: 0, description: 'Of the document in the request.' }),
        relevance_score: number({ minimum: -1, maximum: 1, description: 'Cosine of the angle between the vectors.' }),
        document: Optional(record({ text: text() })),
      }),
      { description: 'Best first; equal ones in the order of the request.' },
    ),
    usage: embeddingUsage,
  }),
  ScoreList: record({
    ...answerHead,
    object: constant('list'),
    data: list(record({ index: count, object: constant('score'), score: number({ minimum: -1, maximum: 1 }) })),
    usage: embeddingUsage,
  }),
  Model: model,
  ModelList: record({ object: constant('list'), data: list(model) }),
  Tokenized: record({
    count,
    max_model_len: integer({ minimum: 1 }),
    tokens: tokenIds,
    token_strs: nullable(list(text())),
  }),
  Detokenized: record({ prompt: text() }),
  Health: record({ status: oneOf(['ok', 'failed']), reason: Optional(text()) }),
  Readiness: record({ status: oneOf(['ready', 'starting', 'draining', 'closed', 'failed']) }),
  Version: record({ version: text() }),
  KvEvent: either([
    record({
      type: constant('stored'),
      tier,
      group: count,
      hashes,
      block_size: integer({ minimum: 1 }),
      parent_hash: Optional(text()),
      token_ids: Optional(tokenIds),
    }),
    record({ type: constant('removed'), tier, group: count, hashes }),
    record({ type: constant('cleared'), tier }),
  ]),
  Aborted: record({ aborted: list(text(), { description: 'Ids of the answers that were ended.' }) }),
  Reset: record({ reset: flag() }),
  ServerInfo: record({
    version: text(),
    state: text(),
    uptime_s: number({ minimum: 0 }),
    models: list(text()),
    limits: nullable(mapOf(anything())),
    options: mapOf(anything()),
    stats: nullable(mapOf(anything())),
    ...place,
    embedders: list(
      record({
        model: text({ description: "The model's own name." }),
        width: integer({ minimum: 1 }),
        limits: mapOf(anything()),
        stats: mapOf(anything()),
        ...place,
      }),
    ),
  }),
} as const satisfies Readonly<Record<string, TSchema>>;
