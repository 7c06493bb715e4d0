import { InvalidArgumentError, SAMPLING_LIMITS, type SamplingParams } from '@kvasir/interfaces';

/** {@link SamplingParams} as a caller may give them: every field optional, with vLLM's defaults. */
export interface SamplingOptions {
  /** 0 is greedy. Default 1. */
  readonly temperature?: number | undefined;
  /** Default 1. */
  readonly topP?: number | undefined;
  /** 0 or -1 is off. Default 0. */
  readonly topK?: number | undefined;
  /** [0, 1]. Default 0. */
  readonly minP?: number | undefined;
  /** (0, 1]. Default 1. */
  readonly typicalP?: number | undefined;
  /** Above 0. Default 1. */
  readonly repetitionPenalty?: number | undefined;
  /** [-2, 2]. Default 0. */
  readonly presencePenalty?: number | undefined;
  /** [-2, 2]. Default 0. */
  readonly frequencyPenalty?: number | undefined;
  /** Token ids and what is added to their logits, held to [-100, 100]. */
  readonly logitBias?: LogitBias | undefined;
  /** Not empty; absent allows every token. */
  readonly allowedTokenIds?: readonly number[] | undefined;
  /** Token sequences that the output must not hold. Encode a word as it stands and with a space before it. */
  readonly badWords?: readonly (readonly number[])[] | undefined;
  /** 64 bits; drawn when absent. */
  readonly seed?: bigint | number | undefined;
  /** Default 16. */
  readonly maxTokens?: number | undefined;
  /** Default 0. */
  readonly minTokens?: number | undefined;
  readonly stop?: string | readonly string[] | undefined;
  readonly stopTokenIds?: readonly number[] | undefined;
  readonly ignoreEos?: boolean | undefined;
  readonly logprobs?: number | undefined;
  readonly promptLogprobs?: number | undefined;
}

/** Biases by token id; keys of a plain object are ids in decimal. */
export type LogitBias = ReadonlyMap<number, number> | Readonly<Record<string, number>>;

const KNOWN: readonly (keyof SamplingOptions)[] = [
  'temperature',
  'topP',
  'topK',
  'minP',
  'typicalP',
  'repetitionPenalty',
  'presencePenalty',
  'frequencyPenalty',
  'logitBias',
  'allowedTokenIds',
  'badWords',
  'seed',
  'maxTokens',
  'minTokens',
  'stop',
  'stopTokenIds',
  'ignoreEos',
  'logprobs',
  'promptLogprobs',
];

/** Below this a temperature is greedy, as in vLLM. */
const GREEDY_TEMPERATURE = 1e-5;
const MAX_INT32 = 0x7fffffff;
/** Bounds of what float32 holds as a number above 0. */
export const MIN_FLOAT32 = 2 ** -126;
const MAX_FLOAT32 = 3.4e38;
const MAX_BIAS = 100;

/**
 * Fills in defaults and checks every field.
 * @param drawSeed - Called only when `options.seed` is absent.
 * @throws `InvalidArgumentError` Naming the first field that cannot be used, unknown fields included.
 */
export function completeSampling(options: SamplingOptions, drawSeed: () => bigint): SamplingParams {
  for (const name of Object.keys(options)) {
    if (!KNOWN.includes(name as keyof SamplingOptions)) {
      throw new InvalidArgumentError(name, `unknown sampling parameter ${name}: expected one of ${KNOWN.join(', ')}`);
    }
  }
  const maxTokens = integer('maxTokens', options.maxTokens ?? 16, 1);
  const stop = typeof options.stop === 'string' ? [options.stop] : (options.stop ?? []);
  if (!Array.isArray(stop) || stop.some((each) => typeof each !== 'string' || each === '')) {
    throw new InvalidArgumentError('stop', 'stop is not text: expected a string or strings, none of them empty');
  }
  const temperature = number('temperature', options.temperature ?? 1, 0, MAX_FLOAT32);
  return {
    temperature: temperature < GREEDY_TEMPERATURE ? 0 : temperature,
    topP: positive('topP', options.topP ?? 1, 1),
    topK: Math.max(0, integer('topK', options.topK ?? 0, -1)),
    minP: number('minP', options.minP ?? 0, 0, 1),
    typicalP: positive('typicalP', options.typicalP ?? 1, 1),
    repetitionPenalty: positive('repetitionPenalty', options.repetitionPenalty ?? 1, MAX_FLOAT32),
    presencePenalty: number('presencePenalty', options.presencePenalty ?? 0, -2, 2),
    frequencyPenalty: number('frequencyPenalty', options.frequencyPenalty ?? 0, -2, 2),
    logitBias: readLogitBias(options.logitBias ?? new Map()),
    allowedTokenIds: readAllowed(options.allowedTokenIds),
    badWords: readBadWords(options.badWords ?? []),
    seed: options.seed === undefined ? drawSeed() : readSeed(options.seed),
    maxTokens,
    minTokens: integer('minTokens', options.minTokens ?? 0, 0, maxTokens),
    stop,
    stopTokenIds: (options.stopTokenIds ?? []).map((id) => integer('stopTokenIds', id, 0)),
    ignoreEos: options.ignoreEos ?? false,
    logprobs: options.logprobs === undefined ? undefined : integer('logprobs', options.logprobs, 0),
    promptLogprobs:
      options.promptLogprobs === undefined ? undefined : integer('promptLogprobs', options.promptLogprobs, 0),
  };
}

function readLogitBias(bias: LogitBias): ReadonlyMap<number, number> {
  const entries: Iterable<readonly [number | string, number]> = bias instanceof Map ? bias : Object.entries(bias);
  const biases = new Map<number, number>();
  for (const [key, value] of entries) {
    const id = integer('logitBias', typeof key === 'string' && /^\d+$/.test(key) ? Number(key) : (key as number), 0);
    const held = number('logitBias', value, -Number.MAX_VALUE, Number.MAX_VALUE);
    biases.set(id, Math.min(MAX_BIAS, Math.max(-MAX_BIAS, held)));
  }
  atMost('logitBias', biases.size, SAMPLING_LIMITS.logitBias, 'tokens');
  return biases;
}

function readAllowed(ids: readonly number[] | undefined): readonly number[] | undefined {
  if (ids === undefined) return undefined;
  if (!Array.isArray(ids) || ids.length === 0) {
    throw new InvalidArgumentError(
      'allowedTokenIds',
      'allowedTokenIds names no token: expected at least one, or leave it out to allow all',
    );
  }
  return [...new Set(ids.map((id) => integer('allowedTokenIds', id, 0)))];
}

function readBadWords(words: readonly (readonly number[])[]): readonly (readonly number[])[] {
  if (!Array.isArray(words) || words.some((word) => !Array.isArray(word) || word.length === 0)) {
    throw new InvalidArgumentError('badWords', 'badWords are no token sequences: expected lists of ids, none empty');
  }
  const checked = words.map((word) => word.map((id: number) => integer('badWords', id, 0)));
  const numTokens = checked.reduce((sum, word) => sum + 1 + word.length, 0);
  atMost('badWords', numTokens, SAMPLING_LIMITS.badWordTokens, 'tokens, one more counted for each sequence');
  return checked;
}

/** `options`, and `defaults` where they are silent. */
export function withDefaults(options: SamplingOptions, defaults: SamplingOptions): SamplingOptions {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return { ...defaults, ...Object.fromEntries(given) };
}

/** Negative numbers stand for their two's complement, so that any 64-bit seed can be written either way. */
function readSeed(seed: bigint | number): bigint {
  if (typeof seed === 'number' && !Number.isSafeInteger(seed)) {
    throw new InvalidArgumentError('seed', `seed is ${seed}: expected an integer; give large ones as bigint`);
  }
  const value = BigInt(seed);
  if (value < -(1n << 63n) || value >= 1n << 64n) {
    throw new InvalidArgumentError('seed', `seed is ${seed}: expected an integer of at most 64 bits`);
  }
  return BigInt.asUintN(64, value);
}

function number(name: string, value: number, min: number, max: number): number {
  if (typeof value !== 'number' || !(value >= min && value <= max)) {
    throw new InvalidArgumentError(name, `${name} is ${value}: expected a number from ${min} to ${max}`);
  }
  return value;
}

/** More than 0, also as float32. */
function positive(name: string, value: number, max: number): number {
  if (number(name, value, 0, max) === 0) {
    throw new InvalidArgumentError(name, `${name} is 0: expected more than 0 and at most ${max}`);
  }
  return Math.max(value, MIN_FLOAT32);
}

function atMost(name: string, count: number, max: number, what: string): void {
  if (count > max) throw new InvalidArgumentError(name, `${name} holds ${count} ${what}: expected at most ${max}`);
}

function integer(name: string, value: number, min: number, max = MAX_INT32): number {
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new InvalidArgumentError(name, `${name} is ${value}: expected an integer from ${min} to ${max}`);
  }
  return value;
}
