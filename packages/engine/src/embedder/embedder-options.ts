import {
  type Backend,
  type EncoderSession,
  InvalidArgumentError,
  type LoadProgress,
  type NumericMode,
  type Tokenizer,
} from '@kvasir/interfaces';
import type { ModelDescription, ResolveModelOptions } from '@kvasir/model';
import type { Clock } from '../clock.js';

/** How an encoder is loaded. Everything but `model` and `backend` has a default. */
export interface EmbedderLoadOptions {
  /** A path, a name of the catalogue, a Hugging Face id, or an opened model. */
  readonly model: string | ModelDescription;
  readonly backend: Backend;
  /** Default `auto`. */
  readonly dtype?: NumericMode | undefined;
  /** Longest input, special tokens included. Default: what the model was made for. */
  readonly maxModelLen?: number | undefined;
  /** Tokens of a batch. Default 1024, at least `maxModelLen`. */
  readonly maxTokensPerBatch?: number | undefined;
  /** Inputs of a batch. Default 256. */
  readonly maxSequencesPerBatch?: number | undefined;
  /** Inputs that may wait; an empty queue takes any call. Default 8192. */
  readonly maxQueuedInputs?: number | undefined;
  /** Default: the backend's choice. */
  readonly numThreads?: number | undefined;
  /** Never fetch; use what is on disk. Default `false`. */
  readonly offline?: boolean | undefined;
  /** Hears of the fetching of a model that is not here yet. */
  readonly pull?: Pick<ResolveModelOptions, 'onProgress' | 'onTerms' | 'onAttemptFailed' | 'onWait'> | undefined;
  /** Bytes that the process may take. Default: what machine and control group leave. */
  readonly availableMemoryBytes?: (() => number) | undefined;
  /** Called now and then while weights are loaded. */
  readonly onProgress?: ((progress: LoadProgress) => void) | undefined;
  /** Cancels the loading. */
  readonly signal?: AbortSignal | undefined;
}

/** What every input and every batch is held to. */
export interface EmbedderLimits {
  /** Longest input, special tokens included. */
  readonly maxModelLen: number;
  readonly maxTokensPerBatch: number;
  readonly maxSequencesPerBatch: number;
  readonly maxQueuedInputs: number;
}

/** Where the memory of an encoder goes. */
export interface EmbedderMemory {
  /** Prepacked weights. */
  readonly weightBytes: number;
  /** Mapped checkpoint that stays resident. */
  readonly mappedBytes: number;
  readonly scratchBytes: number;
  /** What the process could take when the model was loaded. */
  readonly availableBytes: number;
}

/** Parts of an {@link Embedder}, which owns session and tokenizer from here on. */
export interface EmbedderParts {
  readonly name: string;
  readonly session: EncoderSession;
  readonly tokenizer: Tokenizer;
  readonly limits: EmbedderLimits;
  /** Whether vectors have length 1, so that cut ones get it again. */
  readonly isNormalized: boolean;
  /** What the process could take when the session was opened. Default: unknown, 0. */
  readonly availableBytes?: number;
  readonly clock?: Clock;
}

/** How one call of an {@link Embedder} runs and is cancelled. */
export interface EmbedOptions {
  /** Numbers a vector: its first ones, with length 1 again. Default: all. */
  readonly dimensions?: number | undefined;
  /** Cuts a longer text to the model's length, or to this many tokens. Default `false`: too long an input is an error. */
  readonly truncate?: boolean | number | undefined;
  /** Rejects with the signal's reason, wherever the inputs are. */
  readonly signal?: AbortSignal | undefined;
  /** When the call arrived, on the clock of `performance.now()`, so that intervals include work before it. */
  readonly arrivalMs?: number | undefined;
}

const KNOWN_LOAD: readonly (keyof EmbedderLoadOptions)[] = [
  'model',
  'backend',
  'dtype',
  'maxModelLen',
  'maxTokensPerBatch',
  'maxSequencesPerBatch',
  'maxQueuedInputs',
  'numThreads',
  'offline',
  'pull',
  'availableMemoryBytes',
  'onProgress',
  'signal',
];

const KNOWN_CALL: readonly (keyof EmbedOptions)[] = ['dimensions', 'truncate', 'signal', 'arrivalMs'];

/** @throws `InvalidArgumentError` Naming the first option that is unknown or unusable whatever the model. */
export function checkLoadOptions(options: EmbedderLoadOptions): void {
  checkNames(options, KNOWN_LOAD, 'option');
  const { dtype } = options;
  if (dtype !== undefined && dtype !== 'auto' && dtype !== 'float32') {
    throw new InvalidArgumentError('dtype', `dtype is ${String(dtype)}: expected auto or float32`);
  }
}

/**
 * The limits that options ask for, with defaults filled in.
 * @throws `InvalidArgumentError` Naming the option that cannot be used.
 */
export function settleEmbedderLimits(options: EmbedderLoadOptions, maxPositions: number): EmbedderLimits {
  const maxModelLen = integer('maxModelLen', options.maxModelLen ?? maxPositions);
  if (maxModelLen > maxPositions) {
    throw new InvalidArgumentError(
      'maxModelLen',
      `maxModelLen is ${maxModelLen}: the model was made for ${maxPositions} positions, expected at most that`,
    );
  }
  const maxTokensPerBatch = integer('maxTokensPerBatch', options.maxTokensPerBatch ?? Math.max(1024, maxModelLen));
  if (maxTokensPerBatch < maxModelLen) {
    throw new InvalidArgumentError(
      'maxTokensPerBatch',
      `maxTokensPerBatch is ${maxTokensPerBatch} with inputs of up to ${maxModelLen} tokens: expected at least that, raise it or lower maxModelLen`,
    );
  }
  return {
    maxModelLen,
    maxTokensPerBatch,
    maxSequencesPerBatch: integer(
      'maxSequencesPerBatch',
      options.maxSequencesPerBatch ?? Math.min(256, maxTokensPerBatch),
    ),
    maxQueuedInputs: integer('maxQueuedInputs', options.maxQueuedInputs ?? 8192),
  };
}

/** What a call asks for, with defaults filled in. */
export interface EmbedSettings {
  readonly dimensions: number;
  /** Longer texts are cut to this; `undefined`: they are errors. */
  readonly maxTokens: number | undefined;
}

/** @throws `InvalidArgumentError` Naming the first option that is unknown or unusable. */
export function readEmbedOptions(options: EmbedOptions, width: number, maxModelLen: number): EmbedSettings {
  checkNames(options, KNOWN_CALL, 'call option');
  const { dimensions = width, truncate = false } = options;
  if (!Number.isSafeInteger(dimensions) || dimensions < 1 || dimensions > width) {
    throw new InvalidArgumentError(
      'dimensions',
      `dimensions is ${dimensions}: expected an integer from 1 to ${width}, the width of the model's vectors`,
    );
  }
  if (typeof truncate === 'boolean') return { dimensions, maxTokens: truncate ? maxModelLen : undefined };
  return { dimensions, maxTokens: Math.min(integer('truncate', truncate), maxModelLen) };
}

function checkNames(options: object, known: readonly string[], what: string): void {
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue;
    throw new InvalidArgumentError(name, `unknown ${what} ${name}: expected one of ${known.join(', ')}`);
  }
}

function integer(name: string, value: number): number {
  if (Number.isSafeInteger(value) && value >= 1) return value;
  throw new InvalidArgumentError(name, `${name} is ${value}: expected an integer of at least 1`);
}
