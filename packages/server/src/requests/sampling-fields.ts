import type { SamplingParams } from '@kvasir/interfaces';
import { RequestError } from '../errors.js';
import { describeValue } from './describe-value.js';
import { type FieldReader, invalidField, wellFormed } from './field-reader.js';

/** Most stop strings of a request, and most UTF-16 code units of one. */
const MAX_STOP_STRINGS = 64;
const MAX_STOP_LENGTH = 1024;
/** Below this a temperature is greedy, as in vLLM. */
const GREEDY_TEMPERATURE = 1e-5;

/** Sampling fields that both generation routes share, checked; lengths are settled once the prompt is counted. */
export interface SamplingFields {
  readonly temperature: number;
  readonly topP: number;
  readonly topK: number;
  /** `undefined`: one is drawn for each prompt. */
  readonly seed: bigint | undefined;
  readonly minTokens: number;
  readonly stop: readonly string[];
  readonly ignoreEos: boolean;
  readonly promptLogprobs: number | undefined;
}

/** Streaming fields. */
export interface StreamFields {
  readonly stream: boolean;
  readonly includeUsage: boolean;
}

/** `user` and `metadata`: accepted, logged, otherwise without effect. */
export interface LoggedFields {
  readonly user: string | undefined;
  readonly metadata: Readonly<Record<string, string>> | undefined;
}

/** Reads {@link SamplingFields}. @throws {@link RequestError} Naming the field. */
export function readSampling(fields: FieldReader, maxLogprobs: number): SamplingFields {
  const temperature = fields.number('temperature', { min: 0, max: 2 }) ?? 1;
  const topP = fields.number('top_p', { min: 0, max: 1 }) ?? 1;
  if (topP === 0)
    throw fields.invalid('top_p', topP, 'a number above 0 and up to 1; use temperature 0 for greedy output');
  return {
    temperature: temperature < GREEDY_TEMPERATURE ? 0 : temperature,
    topP,
    topK: Math.max(0, fields.integer('top_k', { min: -1, max: 0x7fffffff }) ?? 0),
    seed: readSeed(fields),
    minTokens: fields.integer('min_tokens', { min: 0 }) ?? 0,
    stop: readStop(fields),
    ignoreEos: fields.boolean('ignore_eos') ?? false,
    promptLogprobs: fields.integer('prompt_logprobs', { min: 0, max: maxLogprobs }),
  };
}

/** Reads {@link StreamFields}. @throws {@link RequestError} When options come without a stream, or ask for what is not built. */
export function readStream(fields: FieldReader): StreamFields {
  const stream = fields.boolean('stream') ?? false;
  const options = fields.object('stream_options');
  if (options === undefined) return { stream, includeUsage: false };
  if (!stream) {
    throw new RequestError(
      'ERR_INVALID_FIELD',
      `'stream_options' is given although 'stream' is not true; set stream to true or leave stream_options out`,
      'stream_options',
    );
  }
  const includeUsage = options.boolean('include_usage') ?? false;
  for (const name of ['continuous_usage_stats', 'include_obfuscation']) {
    if (options.boolean(name) === true) {
      const path = options.path(name);
      throw new RequestError(
        'ERR_UNSUPPORTED_FIELD',
        `'${path}' is true, which this server does not support; send false or leave it out`,
        path,
      );
    }
  }
  options.finish();
  return { stream, includeUsage };
}

/** Reads {@link LoggedFields}, with OpenAI's bounds on `metadata`. */
export function readLogged(fields: FieldReader): LoggedFields {
  const user = fields.string('user');
  if (user !== undefined && user.length > 512) {
    throw fields.invalid('user', user, `at most 512 characters, got ${user.length}; shorten it`);
  }
  const store = fields.boolean('store');
  if (store === true) {
    throw new RequestError(
      'ERR_UNSUPPORTED_FIELD',
      `'store' is true, but this server stores nothing; send false or leave it out`,
      'store',
    );
  }
  return { user, metadata: readMetadata(fields) };
}

/** What {@link toSamplingParams} needs besides the fields that the routes share. */
export interface SamplingSettings {
  readonly maxTokens: number;
  readonly logprobs: number | undefined;
  readonly vocabSize: number;
  /** Called when the request gave no seed; 53 bits are kept, so that JSON carries them back exactly. */
  readonly drawSeed: () => bigint;
}

/** Sampling parameters of one prompt. */
export function toSamplingParams(fields: SamplingFields, settings: SamplingSettings): SamplingParams {
  if (fields.minTokens > settings.maxTokens) {
    throw invalidField(
      'min_tokens',
      fields.minTokens,
      `at most the ${settings.maxTokens} tokens that may be generated; lower it`,
    );
  }
  return {
    temperature: fields.temperature,
    topP: fields.topP,
    topK: fields.topK >= settings.vocabSize ? 0 : fields.topK,
    minP: 0,
    typicalP: 1,
    repetitionPenalty: 1,
    presencePenalty: 0,
    frequencyPenalty: 0,
    logitBias: new Map(),
    allowedTokenIds: undefined,
    badWords: [],
    seed: fields.seed ?? BigInt.asUintN(53, settings.drawSeed()),
    maxTokens: settings.maxTokens,
    minTokens: fields.minTokens,
    stop: fields.stop,
    stopTokenIds: [],
    ignoreEos: fields.ignoreEos,
    logprobs: settings.logprobs,
    promptLogprobs: fields.promptLogprobs,
  };
}

/** -1 means none, as in vLLM; other negative seeds stand for their 64-bit two's complement. */
function readSeed(fields: FieldReader): bigint | undefined {
  const seed = fields.integer('seed', { min: Number.MIN_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER });
  return seed === undefined || seed === -1 ? undefined : BigInt.asUintN(64, BigInt(seed));
}

function readStop(fields: FieldReader): readonly string[] {
  const value = fields.raw('stop');
  if (value === undefined) return [];
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (list.length > MAX_STOP_STRINGS) {
    throw fields.invalid('stop', value, `at most ${MAX_STOP_STRINGS} strings; send fewer`);
  }
  return list.map((each, i) => {
    const path = Array.isArray(value) ? `stop[${i}]` : 'stop';
    if (typeof each !== 'string' || each === '') throw invalidField(path, each, 'a string that is not empty');
    if (each.length > MAX_STOP_LENGTH) {
      throw invalidField(path, each, `at most ${MAX_STOP_LENGTH} characters, got ${each.length}; shorten it`);
    }
    return wellFormed(each, path);
  });
}

function readMetadata(fields: FieldReader): Readonly<Record<string, string>> | undefined {
  const value = fields.raw('metadata');
  if (value === undefined) return undefined;
  if (typeof value !== 'object' || Array.isArray(value))
    throw fields.invalid('metadata', value, 'an object of strings');
  const entries = Object.entries(value as Record<string, unknown>);
  if (entries.length > 16) {
    throw new RequestError(
      'ERR_INVALID_FIELD',
      `'metadata' has ${entries.length} keys, expected at most 16; send fewer`,
      'metadata',
    );
  }
  for (const [key, each] of entries) {
    if (key.length <= 64 && typeof each === 'string' && each.length <= 512) continue;
    throw new RequestError(
      'ERR_INVALID_FIELD',
      `'metadata' maps ${describeValue(key)} to ${describeValue(each)}, expected keys of up to 64 and strings of up to 512 characters`,
      'metadata',
    );
  }
  return value as Readonly<Record<string, string>>;
}
