import type { BeamParams, GenerateRequest } from '@kvasir/interfaces';
import { RequestError } from '../errors.js';
import {
  constant,
  dictionary,
  flag,
  integer,
  number,
  oneOf,
  optionalAll,
  record,
  type Static,
  text,
  unbuilt,
} from '../schema/builders.js';
import { invalidField } from '../schema/field-errors.js';
import type { RequestLimits } from './request-limits.js';

const MAX_INT32 = 0x7fffffff;

const streamOptions = record(
  optionalAll({
    include_usage: flag({ description: 'A last chunk carries the usage.' }),
    continuous_usage_stats: flag({ description: 'Every chunk carries the usage so far.' }),
    include_obfuscation: unbuilt({ enum: [false] }, 'send false or leave it out'),
  }),
);

/** Fields of both generation routes besides those of sampling. */
export function generationFields({ maxChoices }: RequestLimits) {
  return optionalAll({
    model: text({ description: 'One of `/v1/models`. Default: the first of them.' }),
    n: integer({ minimum: 1, maximum: maxChoices, description: 'Choices for each prompt. Default 1.' }),
    use_beam_search: flag({ description: 'Beam search with `n` beams instead of sampling. Default false.' }),
    length_penalty: number({ minimum: -100, maximum: 100, description: 'Of beam search. Default 1.' }),
    early_stopping: flag({ description: 'Of beam search: end with the `n`-th finished beam. Default false.' }),

    stream: flag({ description: 'Answer with server-sent events. Default false.' }),
    stream_options: streamOptions,
    echo: flag({ description: 'Repeat the prompt (of a chat: the assistant’s last message) first. Default false.' }),
    return_token_ids: flag({ description: 'Report token ids of prompt and output. Default false.' }),
    return_tokens_as_token_ids: flag({
      description: 'Tokens of log-probabilities read `token_id:123`. Default false.',
    }),
    include_stop_str_in_output: flag({ description: 'Leave what ended the text in it. Default false.' }),
    skip_special_tokens: flag({ description: 'Leave special tokens out of the text. Default true.' }),
    spaces_between_special_tokens: flag({ description: 'Default true.' }),
    add_special_tokens: flag({
      description: 'BOS and the like around the prompt. Default: true for text, false for chats.',
    }),
    truncate_prompt_tokens: integer({
      minimum: -1,
      maximum: MAX_INT32,
      description: 'Keep this many tokens of a longer prompt; -1 keeps what fits.',
    }),
    truncation_side: oneOf(['left', 'right'], { description: 'Where tokens are cut away. Default left.' }),

    priority: integer({ minimum: -MAX_INT32 - 1, maximum: MAX_INT32, description: 'Smaller runs first. Default 0.' }),
    cache_salt: text({
      minLength: 1,
      maxLength: 256,
      description: 'Keeps cached prefixes apart from those of other salts.',
    }),
    timeout_ms: integer({
      minimum: 1,
      maximum: MAX_INT32,
      description: 'Milliseconds after which the request is ended with an error. Default: none.',
    }),
    request_id: text({
      minLength: 1,
      maxLength: 128,
      pattern: '^[\\x21-\\x7e]+$',
      'x-expected': '1 to 128 visible ASCII characters',
      description: 'Part of the id of the answer, by which the request can be aborted.',
    }),
    user: text({ maxLength: 512, description: 'Logged.' }),
    safety_identifier: text({ maxLength: 512, description: 'Without effect: nothing is moderated.' }),
    prompt_cache_key: text({ maxLength: 512, description: 'Without effect: prompts are cached by their content.' }),
    metadata: dictionary(text({ maxLength: 512 }), {
      maxProperties: 16,
      propertyNames: { maxLength: 64 },
      description: 'Logged.',
    }),
    store: constant(false, {
      'x-unsupported': 'but this server stores nothing; send false or leave it out',
      description: 'Not supported: nothing is stored.',
    }),
  });
}

const generationRecord = (limits: RequestLimits) => record(generationFields(limits));
type GenerationBody = Static<ReturnType<typeof generationRecord>>;

/** Fields of both routes that say what is answered, and how. */
export interface GenerationFields {
  readonly model: string | undefined;
  readonly n: number;
  readonly beam: BeamParams | undefined;
  readonly stream: boolean;
  readonly includeUsage: boolean;
  readonly continuousUsage: boolean;
  readonly echo: boolean;
  readonly returnTokenIds: boolean;
  readonly tokensAsIds: boolean;
  readonly truncation: Truncation | undefined;
  readonly requestId: string | undefined;
  readonly user: string | undefined;
  readonly metadata: Readonly<Record<string, string>> | undefined;
  /** What goes to the engine as it is. */
  readonly engine: Pick<
    GenerateRequest,
    'cacheSalt' | 'priority' | 'timeoutMs' | 'includeStopInOutput' | 'skipSpecialTokens' | 'spacesBetweenSpecialTokens'
  >;
}

/** How a long prompt is cut. */
export interface Truncation {
  /** `undefined`: what fits. */
  readonly maxTokens: number | undefined;
  readonly side: 'left' | 'right';
}

/** Fills in defaults and checks what fields say about each other. @throws {@link RequestError} */
export function readGeneration(body: GenerationBody): GenerationFields {
  const stream = body.stream ?? false;
  if (body.stream_options != null && !stream) {
    throw new RequestError(
      'ERR_INVALID_FIELD',
      `'stream_options' is given although 'stream' is not true; set stream to true or leave stream_options out`,
      'stream_options',
    );
  }
  return {
    model: body.model ?? undefined,
    n: body.n ?? 1,
    beam: readBeam(body),
    stream,
    includeUsage: body.stream_options?.include_usage ?? false,
    continuousUsage: body.stream_options?.continuous_usage_stats ?? false,
    echo: body.echo ?? false,
    returnTokenIds: body.return_token_ids ?? false,
    tokensAsIds: body.return_tokens_as_token_ids ?? false,
    truncation: readTruncation(body),
    requestId: body.request_id ?? undefined,
    user: body.user ?? undefined,
    metadata: body.metadata ?? undefined,
    engine: {
      ...(body.cache_salt == null ? {} : { cacheSalt: body.cache_salt }),
      ...(body.timeout_ms == null ? {} : { timeoutMs: body.timeout_ms }),
      ...(body.priority == null ? {} : { priority: body.priority }),
      ...(body.include_stop_str_in_output === true ? { includeStopInOutput: true } : {}),
      ...(body.skip_special_tokens === false ? { skipSpecialTokens: false } : {}),
      ...(body.spaces_between_special_tokens === false ? { spacesBetweenSpecialTokens: false } : {}),
    },
  };
}

/** Prompt log-probabilities have no place in a stream, as in vLLM. @throws {@link RequestError} */
export function refusePromptLogprobsInStream(body: { prompt_logprobs?: number | null; stream?: boolean | null }): void {
  if (body.stream !== true || body.prompt_logprobs == null) return;
  throw new RequestError(
    'ERR_UNSUPPORTED_FIELD',
    `'prompt_logprobs' cannot be streamed; set stream to false or leave prompt_logprobs out`,
    'prompt_logprobs',
  );
}

function readBeam({ n, use_beam_search, length_penalty, early_stopping }: GenerationBody): BeamParams | undefined {
  if (use_beam_search === true) {
    return { width: n ?? 1, lengthPenalty: length_penalty ?? 1, earlyStopping: early_stopping ?? false };
  }
  if (length_penalty != null && length_penalty !== 1) throw withoutBeam('length_penalty', length_penalty);
  if (early_stopping === true) throw withoutBeam('early_stopping', early_stopping);
  return undefined;
}

function withoutBeam(name: string, value: number | boolean): RequestError {
  return new RequestError(
    'ERR_INVALID_FIELD',
    `'${name}' is ${value} although 'use_beam_search' is not true; set use_beam_search to true or leave ${name} out`,
    name,
  );
}

function readTruncation({ truncate_prompt_tokens: limit, truncation_side }: GenerationBody): Truncation | undefined {
  if (limit == null) return undefined;
  if (limit === 0) throw invalidField('truncate_prompt_tokens', limit, 'at least 1, or -1 for what fits');
  return { maxTokens: limit === -1 ? undefined : limit, side: truncation_side ?? 'left' };
}
