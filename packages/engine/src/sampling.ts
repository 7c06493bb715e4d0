import { InvalidArgumentError, type SamplingParams } from '@kvasir/interfaces';

/** {@link SamplingParams} as a caller may give them: every field optional, with vLLM's defaults. */
export interface SamplingOptions {
  /** 0 is greedy. Default 1. */
  readonly temperature?: number | undefined;
  /** Default 1. */
  readonly topP?: number | undefined;
  /** 0 or -1 is off. Default 0. */
  readonly topK?: number | undefined;
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

const KNOWN: readonly (keyof SamplingOptions)[] = [
  'temperature',
  'topP',
  'topK',
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
  const temperature = number('temperature', options.temperature ?? 1, 0, Number.MAX_VALUE);
  const topP = number('topP', options.topP ?? 1, 0, 1);
  if (topP === 0) throw new InvalidArgumentError('topP', 'topP is 0: expected more than 0 and at most 1');
  return {
    temperature: temperature < GREEDY_TEMPERATURE ? 0 : temperature,
    topP,
    topK: Math.max(0, integer('topK', options.topK ?? 0, -1)),
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

function integer(name: string, value: number, min: number, max = MAX_INT32): number {
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new InvalidArgumentError(name, `${name} is ${value}: expected an integer from ${min} to ${max}`);
  }
  return value;
}
