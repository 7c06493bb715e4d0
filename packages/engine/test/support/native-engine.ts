import { createKvCacheManager } from '@kvasir/block-manager';
import type { DecoderProgram, KvCacheDtype, NumericMode, SessionOptions, Tokenizer } from '@kvasir/interfaces';
import { createCpuBackend } from '@kvasir/kernels-cpu';
import { createScheduler, type PolicyName } from '@kvasir/scheduler';
import { createFakeTokenizer } from '@kvasir/testing';
import { Engine } from '../../src/index.js';

export interface NativeOptions {
  readonly program: DecoderProgram;
  readonly mode: NumericMode;
  readonly kvCacheDtype: KvCacheDtype;
  readonly numThreads: number;
  readonly blockSize: number;
  readonly numBlocks: number;
  readonly maxModelLen: number;
  readonly maxNumSeqs: number;
  readonly maxNumBatchedTokens: number;
  readonly maxInFlight: 1 | 2;
  readonly enablePrefixCaching: boolean;
  readonly eosTokenIds: readonly number[];
  readonly tokenizer?: Tokenizer;
  readonly policy?: PolicyName;
  /** Blocks of a host tier, null block included; needs prefix caching. */
  readonly hostBlocks?: number | undefined;
}

export const POLICIES: readonly PolicyName[] = ['fcfs', 'priority', 'fair', 'shortest-prefix-first'];

/** An engine over the native CPU backend, every size as told. */
export async function openNativeEngine(options: NativeOptions): Promise<Engine> {
  const { blockSize, numBlocks, maxModelLen, maxNumSeqs, maxNumBatchedTokens, maxInFlight } = options;
  const maxNumOutputs = Math.max(maxNumSeqs, Math.min(maxNumBatchedTokens, 64));
  const hostTier = options.hostBlocks === undefined ? {} : { hostTier: { numBlocks: options.hostBlocks } };
  const sessionOptions: SessionOptions = {
    programs: [options.program],
    mode: options.mode,
    kvCacheDtype: options.kvCacheDtype,
    blockSize,
    numBlocks,
    maxSlots: maxNumSeqs,
    maxModelLen,
    maxTokensPerStep: maxNumBatchedTokens,
    maxOutputsPerStep: maxNumOutputs,
    maxTopLogprobs: 8,
    maxInFlight,
    eosTokenIds: options.eosTokenIds,
    numThreads: options.numThreads,
    ...hostTier,
  };
  const session = await createCpuBackend().openSession(sessionOptions);
  const { vocabSize } = options.program;
  const kvCache = createKvCacheManager({
    numBlocks,
    blockSize,
    groups: session.info.plan.kvGroups,
    enablePrefixCaching: options.enablePrefixCaching,
    ...hostTier,
  });
  const scheduler = createScheduler({
    kvCache,
    maxNumSeqs,
    maxNumBatchedTokens,
    maxNumOutputs,
    maxModelLen,
    maxInFlight,
    policy: options.policy ?? 'fcfs',
  });
  const limits = {
    maxModelLen,
    maxNumSeqs,
    maxNumBatchedTokens,
    maxQueuedRequests: 64,
    maxLogprobs: 8,
    vocabSize,
    maxInFlight,
  };
  const tokenizer = options.tokenizer ?? createFakeTokenizer(vocabSize, options.eosTokenIds[0]);
  return new Engine({ session, scheduler, kvCache, tokenizer, limits });
}
