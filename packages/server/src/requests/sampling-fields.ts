import { SAMPLING_LIMITS, type SamplingParams } from '@kvasir/interfaces';
import {
  dictionary,
  either,
  flag,
  integer,
  list,
  number,
  optionalAll,
  record,
  type Static,
  text,
} from '../schema/builders.js';
import { invalidField } from '../schema/field-errors.js';
import type { SamplingDefaults } from '../served-model.js';
import { tokenIdSchema } from './prompts.js';
import { MAX_BAD_WORD_LENGTH, MAX_BAD_WORDS, MAX_STOP_TOKEN_IDS, type RequestLimits } from './request-limits.js';

/** Below this a temperature is greedy, as in vLLM. */
const GREEDY_TEMPERATURE = 1e-5;
/** Further from 0 a bias is cut, as in vLLM. */
const MAX_BIAS = 100;
const MAX_INT32 = 0x7fffffff;

/** Fields of both generation routes that say how tokens are chosen. */
export function samplingFields(limits: RequestLimits) {
  const { maxLogprobs, maxLogitBias, maxStopStrings, maxStopLength, vocabSize } = limits;
  const tokenId = tokenIdSchema(vocabSize);
  const aStop = text({ minLength: 1, maxLength: maxStopLength });
  const fromModel = "Default: the model's own, else";
  return optionalAll({
    temperature: number({ minimum: 0, maximum: 2, description: `0 is greedy. ${fromModel} 1.` }),
    top_p: number({
      exclusiveMinimum: 0,
      maximum: 1,
      'x-expected': 'a number above 0 and up to 1; use temperature 0 for greedy output',
      description: `${fromModel} 1, which is off.`,
    }),
    top_k: integer({ minimum: -1, maximum: MAX_INT32, description: `0 and -1 are off. ${fromModel} 0.` }),
    min_p: number({
      minimum: 0,
      maximum: 1,
      description: `Share of the likeliest token's probability. ${fromModel} 0.`,
    }),
    typical_p: number({ exclusiveMinimum: 0, maximum: 1, description: `${fromModel} 1, which is off.` }),
    repetition_penalty: number({
      exclusiveMinimum: 0,
      maximum: 1e6,
      description: `On tokens of prompt and output. ${fromModel} 1, which is off.`,
    }),
    presence_penalty: number({ minimum: -2, maximum: 2, description: 'On tokens of the output. Default 0.' }),
    frequency_penalty: number({
      minimum: -2,
      maximum: 2,
      description: 'On tokens of the output, as often as they are there. Default 0.',
    }),
    logit_bias: dictionary(number({}), {
      maxProperties: maxLogitBias,
      'x-expected': 'an object of token ids and numbers, like {"50256": -100}',
      description: 'Token id to what is added to its logit, cut to [-100, 100].',
    }),
    allowed_token_ids: list(tokenId, {
      minItems: 1,
      maxItems: vocabSize,
      'x-expected': 'an array of at least one token id; leave it out to allow every token',
      description: 'Nothing else is generated.',
    }),
    bad_words: list(text({ minLength: 1, maxLength: MAX_BAD_WORD_LENGTH }), {
      maxItems: MAX_BAD_WORDS,
      'x-entries': 'words',
      description: 'Words that the output does not hold, at its start or after a space.',
    }),
    seed: integer({
      minimum: Number.MIN_SAFE_INTEGER,
      maximum: Number.MAX_SAFE_INTEGER,
      description: 'The same seed gives the same tokens. Absent or -1: one is drawn, and reported in a header.',
    }),
    min_tokens: integer({ minimum: 0, description: 'EOS and stop tokens are impossible before. Default 0.' }),
    stop: either([aStop, list(aStop, { maxItems: maxStopStrings, 'x-entries': 'strings' })], {
      'x-expected': 'a string that is not empty',
      description: 'Where the text ends.',
    }),
    stop_token_ids: list(tokenId, { maxItems: MAX_STOP_TOKEN_IDS, 'x-entries': 'token ids' }),
    ignore_eos: flag({ description: 'Go on after EOS. Default false.' }),
    prompt_logprobs: integer({ minimum: 0, maximum: maxLogprobs, description: 'Alternatives for each prompt token.' }),
  });
}

const samplingRecord = (limits: RequestLimits) => record(samplingFields(limits));
type SamplingBody = Static<ReturnType<typeof samplingRecord>>;

/** Sampling fields with their defaults; what depends on the prompt's length is settled by {@link toSamplingParams}. */
export interface SamplingFields extends Omit<SamplingParams, 'seed' | 'maxTokens' | 'logprobs'> {
  /** `undefined`: one is drawn for each prompt. */
  readonly seed: bigint | undefined;
}

/** What {@link readSampling} needs besides the body. */
export interface SamplingContext {
  readonly vocabSize: number;
  /** What the model's files ask for where the request is silent. */
  readonly defaults: SamplingDefaults;
  /** Token sequences of a bad word. */
  readonly tokenizeBadWord: (word: string, path: string) => readonly (readonly number[])[];
}

/** Fills in defaults. @throws `RequestError` Naming the field. */
export function readSampling(body: SamplingBody, context: SamplingContext): SamplingFields {
  const { defaults } = context;
  const temperature = body.temperature ?? defaults.temperature ?? 1;
  const topK = Math.max(0, body.top_k ?? defaults.topK ?? 0);
  return {
    temperature: temperature < GREEDY_TEMPERATURE ? 0 : temperature,
    topP: body.top_p ?? defaults.topP ?? 1,
    topK: topK >= context.vocabSize ? 0 : topK,
    minP: body.min_p ?? defaults.minP ?? 0,
    typicalP: body.typical_p ?? defaults.typicalP ?? 1,
    repetitionPenalty: body.repetition_penalty ?? defaults.repetitionPenalty ?? 1,
    presencePenalty: body.presence_penalty ?? 0,
    frequencyPenalty: body.frequency_penalty ?? 0,
    logitBias: readLogitBias(body.logit_bias ?? {}, context.vocabSize),
    allowedTokenIds: body.allowed_token_ids == null ? undefined : [...new Set(body.allowed_token_ids)],
    badWords: readBadWords(body.bad_words ?? [], context),
    seed: readSeed(body.seed),
    minTokens: body.min_tokens ?? 0,
    stop: typeof body.stop === 'string' ? [body.stop] : (body.stop ?? []),
    stopTokenIds: body.stop_token_ids ?? [],
    ignoreEos: body.ignore_eos ?? false,
    promptLogprobs: body.prompt_logprobs ?? undefined,
  };
}

/** What {@link toSamplingParams} needs besides the fields. */
export interface SamplingSettings {
  readonly maxTokens: number;
  readonly logprobs: number | undefined;
  /** Called when the request gave no seed; 53 bits are kept, so that JSON carries them back exactly. */
  readonly drawSeed: () => bigint;
}

/** Sampling parameters of one prompt. @throws `RequestError` When `min_tokens` is above `maxTokens`. */
export function toSamplingParams(fields: SamplingFields, settings: SamplingSettings): SamplingParams {
  const { maxTokens, logprobs } = settings;
  if (fields.minTokens > maxTokens) {
    throw invalidField(
      'min_tokens',
      fields.minTokens,
      `at most the ${maxTokens} tokens that may be generated; lower it`,
    );
  }
  return { ...fields, seed: fields.seed ?? BigInt.asUintN(53, settings.drawSeed()), maxTokens, logprobs };
}

/** -1 means none, as in vLLM; other negative seeds stand for their 64-bit two's complement. */
function readSeed(seed: number | null | undefined): bigint | undefined {
  return seed == null || seed === -1 ? undefined : BigInt.asUintN(64, BigInt(seed));
}

function readLogitBias(bias: Readonly<Record<string, number>>, vocabSize: number): ReadonlyMap<number, number> {
  const biases = new Map<number, number>();
  for (const [key, value] of Object.entries(bias)) {
    const id = /^\d{1,10}$/.test(key) ? Number(key) : -1;
    if (id < 0 || id >= vocabSize) {
      throw invalidField(`logit_bias.${key.slice(0, 64)}`, key, `a token id from 0 to ${vocabSize - 1} as the key`);
    }
    biases.set(id, Math.min(MAX_BIAS, Math.max(-MAX_BIAS, value)));
  }
  return biases;
}

function readBadWords(words: readonly string[], { tokenizeBadWord }: SamplingContext): readonly (readonly number[])[] {
  const sequences = words.flatMap((word, i) => tokenizeBadWord(word, `bad_words[${i}]`));
  const numTokens = sequences.reduce((sum, sequence) => sum + sequence.length + 1, 0);
  if (numTokens <= SAMPLING_LIMITS.badWordTokens) return sequences;
  throw invalidField(
    'bad_words',
    words,
    `at most ${SAMPLING_LIMITS.badWordTokens} tokens in all, got ${numTokens} with one more for each form; send fewer words`,
  );
}
