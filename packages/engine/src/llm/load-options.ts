import {
  type Backend,
  InvalidArgumentError,
  type KvCacheDtype,
  type LoadProgress,
  type NumericMode,
} from '@kvasir/interfaces';
import type { ModelDescription, ResolveModelOptions } from '@kvasir/model';
import type { PolicyName } from '@kvasir/scheduler';
import { maxNumSeqsByCompute } from '../memory/derive-max-num-seqs.js';

/** Source of default sampling parameters; the names are those of vLLM's `--generation-config`. */
export type GenerationConfigSource = 'auto' | 'vllm';

/** How a model is loaded. Everything but `model` and `backend` has a default. */
export interface LoadOptions {
  /** A path, a name of the catalogue, a Hugging Face id, or an opened model. */
  readonly model: string | ModelDescription;
  readonly backend: Backend;
  /** Default `auto`. */
  readonly dtype?: NumericMode | undefined;
  /** Default `auto`. */
  readonly kvCacheDtype?: KvCacheDtype | undefined;
  /** Longest sequence. Default: what the model was made for, or what the KV cache holds if that is less. */
  readonly maxModelLen?: number | undefined;
  /** Sequences that run at the same time. Default: 32 a compute thread (64 to 256), fewer if the KV cache holds fewer of 1,024 tokens. */
  readonly maxNumSeqs?: number | undefined;
  /** Tokens a step. Default 512, at least `maxNumSeqs`. */
  readonly maxNumBatchedTokens?: number | undefined;
  /** Size of the KV cache. Default: see `planMemory`. */
  readonly kvCacheMemoryBytes?: number | undefined;
  /** Second tier of the KV cache for what the first evicts, kept in memory. Default: none. */
  readonly hostKvCacheMemoryBytes?: number | undefined;
  /** Keeps that tier in this file, which is made and overwritten, instead of in memory. */
  readonly hostKvCachePath?: string | undefined;
  /** Part of the KV cache that {@link Engine.pinPrefix} may take, 0 to 0.9. Default 0. */
  readonly maxPinnedShare?: number | undefined;
  /** Tokens a KV block. Default 16. */
  readonly blockSize?: number | undefined;
  /** Default `true`. */
  readonly enablePrefixCaching?: boolean | undefined;
  /** Who goes first. Default `'fcfs'`. */
  readonly policy?: PolicyName | undefined;
  /** Shares of tenants under the policy `'fair'`, by name; 1 for the others. */
  readonly tenantWeights?: Readonly<Record<string, number>> | undefined;
  /** Time between two tokens of a stream that prompts leave room for. Default: none, steps take all tokens they may. */
  readonly targetItlMs?: number | undefined;
  /** Requests that may wait. Default 1024. */
  readonly maxQueuedRequests?: number | undefined;
  /** Most alternatives a position. Default 64. */
  readonly maxLogprobs?: number | undefined;
  /**
   * Where sampling parameters that a request leaves out come from: `auto` takes what the model's files ask for, `vllm` neutral values.
   * Default `auto`.
   */
  readonly generationConfig?: GenerationConfigSource | undefined;
  /** Steps submitted before the first has its result. Default 1. */
  readonly maxInFlight?: 1 | 2 | undefined;
  /** Makes the seeds of requests without one reproducible. Default: random seeds. */
  readonly seed?: bigint | number | undefined;
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

/** Sizes with their defaults filled in; `maxModelLen` is `undefined` when it is to be derived. */
export interface LoadSizes {
  readonly maxModelLen: number | undefined;
  /** Derived when it was not given; see {@link withMaxNumSeqs}. */
  readonly maxNumSeqs: number;
  readonly isMaxNumSeqsGiven: boolean;
  readonly maxNumBatchedTokens: number;
  readonly maxNumOutputs: number;
  readonly kvCacheMemoryBytes: number | undefined;
  readonly hostKvCacheMemoryBytes: number | undefined;
  readonly blockSize: number;
  readonly maxQueuedRequests: number;
  readonly maxLogprobs: number;
  readonly maxInFlight: 1 | 2;
}

const KNOWN: readonly (keyof LoadOptions)[] = [
  'model',
  'backend',
  'dtype',
  'kvCacheDtype',
  'maxModelLen',
  'maxNumSeqs',
  'maxNumBatchedTokens',
  'kvCacheMemoryBytes',
  'hostKvCacheMemoryBytes',
  'hostKvCachePath',
  'maxPinnedShare',
  'blockSize',
  'enablePrefixCaching',
  'policy',
  'tenantWeights',
  'targetItlMs',
  'maxQueuedRequests',
  'maxLogprobs',
  'generationConfig',
  'maxInFlight',
  'seed',
  'numThreads',
  'offline',
  'pull',
  'availableMemoryBytes',
  'onProgress',
  'signal',
];

const POLICIES: readonly PolicyName[] = ['fcfs', 'priority', 'fair', 'shortest-prefix-first'];

/** Rows of logits a step beside those of running sequences: prompt log-probabilities use them. */
const MIN_OUTPUTS = 64;

/** @throws `InvalidArgumentError` Naming the first option that cannot be used, unknown ones included. */
export function resolveSizes(options: LoadOptions): LoadSizes {
  for (const name of Object.keys(options)) {
    if (!KNOWN.includes(name as keyof LoadOptions)) {
      throw new InvalidArgumentError(name, `unknown option ${name}: expected one of ${KNOWN.join(', ')}`);
    }
  }
  oneOf('dtype', options.dtype, ['auto', 'float32']);
  oneOf('kvCacheDtype', options.kvCacheDtype, ['auto', 'float32', 'float16', 'bfloat16', 'int8']);
  oneOf('policy', options.policy, POLICIES);
  if (options.tenantWeights !== undefined && options.policy !== 'fair') {
    throw new InvalidArgumentError(
      'tenantWeights',
      `tenantWeights are given under the policy ${options.policy ?? 'fcfs'}: they are shares of the policy fair, choose it or leave them out`,
    );
  }
  oneOf('generationConfig', options.generationConfig, ['auto', 'vllm']);
  oneOf('maxInFlight', options.maxInFlight, [1, 2]);
  const askedBatch = integer('maxNumBatchedTokens', options.maxNumBatchedTokens, 1);
  const numThreads = integer('numThreads', options.numThreads, 1) ?? options.backend.deviceInfo.numThreads;
  const byCompute = maxNumSeqsByCompute(numThreads);
  const askedSeqs = integer('maxNumSeqs', options.maxNumSeqs, 1);
  const maxNumSeqs = askedSeqs ?? Math.min(byCompute, askedBatch ?? byCompute);
  const maxNumBatchedTokens = askedBatch ?? Math.max(512, maxNumSeqs);
  if (maxNumBatchedTokens < maxNumSeqs) {
    throw new InvalidArgumentError(
      'maxNumBatchedTokens',
      `maxNumBatchedTokens is ${maxNumBatchedTokens} with maxNumSeqs ${maxNumSeqs}: expected at least a token for each running sequence`,
    );
  }
  if (options.hostKvCachePath !== undefined && options.hostKvCacheMemoryBytes === undefined) {
    throw new InvalidArgumentError(
      'hostKvCachePath',
      `hostKvCachePath is ${options.hostKvCachePath} without hostKvCacheMemoryBytes: say how large the file may be`,
    );
  }
  return {
    maxModelLen: integer('maxModelLen', options.maxModelLen, 2),
    maxNumSeqs,
    isMaxNumSeqsGiven: askedSeqs !== undefined,
    maxNumBatchedTokens,
    maxNumOutputs: numOutputsFor(maxNumSeqs, maxNumBatchedTokens),
    kvCacheMemoryBytes: integer('kvCacheMemoryBytes', options.kvCacheMemoryBytes, 1),
    hostKvCacheMemoryBytes: integer('hostKvCacheMemoryBytes', options.hostKvCacheMemoryBytes, 1),
    blockSize: integer('blockSize', options.blockSize, 1) ?? 16,
    maxQueuedRequests: integer('maxQueuedRequests', options.maxQueuedRequests, 1) ?? 1024,
    maxLogprobs: integer('maxLogprobs', options.maxLogprobs, 0) ?? 64,
    maxInFlight: options.maxInFlight ?? 1,
  };
}

/** The sizes with fewer sequences, when memory holds fewer and nobody asked for a number. */
export function withMaxNumSeqs(sizes: LoadSizes, byMemory: number): LoadSizes {
  if (sizes.isMaxNumSeqsGiven || byMemory >= sizes.maxNumSeqs) return sizes;
  return { ...sizes, maxNumSeqs: byMemory, maxNumOutputs: numOutputsFor(byMemory, sizes.maxNumBatchedTokens) };
}

function numOutputsFor(maxNumSeqs: number, maxNumBatchedTokens: number): number {
  return Math.min(maxNumBatchedTokens, Math.max(MIN_OUTPUTS, maxNumSeqs));
}

function integer(name: string, value: number | undefined, min: number): number | undefined {
  if (value !== undefined && (!Number.isSafeInteger(value) || value < min)) {
    throw new InvalidArgumentError(name, `${name} is ${value}: expected an integer of at least ${min}`);
  }
  return value;
}

function oneOf<T>(name: string, value: T | undefined, allowed: readonly T[]): void {
  if (value !== undefined && !allowed.includes(value)) {
    throw new InvalidArgumentError(name, `${name} is ${String(value)}: expected one of ${allowed.join(', ')}`);
  }
}
