import { createKvCacheManager } from '@kvasir/block-manager';
import type { GenerateRequest, KvCacheManager, OutputDelta, SessionOptions } from '@kvasir/interfaces';
import { createScheduler, type PolicyName } from '@kvasir/scheduler';
import {
  createFakeBackend,
  createFakeProgram,
  createFakeTokenizer,
  type FakeBackendOptions,
  type FakeSession,
} from '@kvasir/testing';
import { type Clock, completeSampling, Engine, type SamplingOptions } from '../../src/index.js';

export interface HarnessOptions extends FakeBackendOptions {
  readonly vocabSize?: number;
  readonly windows?: readonly number[];
  readonly blockSize?: number;
  readonly numBlocks?: number;
  readonly maxModelLen?: number;
  readonly maxNumSeqs?: number;
  readonly maxNumBatchedTokens?: number;
  readonly maxQueuedRequests?: number;
  readonly maxInFlight?: 1 | 2;
  readonly enablePrefixCaching?: boolean;
  readonly clock?: Clock;
  /** Blocks of a host tier, null block included. */
  readonly hostBlocks?: number;
  readonly isWorthLoading?: (numTokens: number, numBlocks: number) => boolean;
  readonly maxPinnedShare?: number;
  readonly policy?: PolicyName;
  readonly targetItlMs?: number;
}

export interface Harness {
  readonly engine: Engine;
  readonly session: FakeSession;
  readonly kvCache: KvCacheManager;
}

/** EOS of the fake model. */
export const EOS = 1;

/** An engine over the fake backend. */
export async function startEngine(options: HarnessOptions = {}): Promise<Harness> {
  const limits = {
    maxModelLen: options.maxModelLen ?? 64,
    maxNumSeqs: options.maxNumSeqs ?? 4,
    maxNumBatchedTokens: options.maxNumBatchedTokens ?? 16,
    maxQueuedRequests: options.maxQueuedRequests ?? 64,
    maxLogprobs: 8,
    vocabSize: options.vocabSize ?? 16,
    maxInFlight: options.maxInFlight ?? 1,
  };
  const sessionOptions: SessionOptions = {
    programs: [createFakeProgram({ vocabSize: limits.vocabSize, windows: options.windows ?? [] })],
    mode: 'float32',
    kvCacheDtype: 'auto',
    blockSize: options.blockSize ?? 4,
    numBlocks: options.numBlocks ?? 65,
    maxSlots: limits.maxNumSeqs,
    maxModelLen: limits.maxModelLen,
    maxTokensPerStep: limits.maxNumBatchedTokens,
    maxOutputsPerStep: limits.maxNumBatchedTokens,
    maxTopLogprobs: limits.maxLogprobs,
    maxInFlight: limits.maxInFlight,
    eosTokenIds: [EOS],
    ...(options.hostBlocks === undefined ? {} : { hostTier: { numBlocks: options.hostBlocks } }),
  };
  const session = await createFakeBackend(options).openSession(sessionOptions);
  const kvCache = createKvCacheManager({
    numBlocks: sessionOptions.numBlocks,
    blockSize: sessionOptions.blockSize,
    groups: session.info.plan.kvGroups,
    enablePrefixCaching: options.enablePrefixCaching ?? true,
    maxPinnedShare: options.maxPinnedShare ?? 0,
    ...(options.hostBlocks === undefined ? {} : { hostTier: hostTierOf(options.hostBlocks, options.isWorthLoading) }),
  });
  const scheduler = createScheduler({
    kvCache,
    maxNumSeqs: limits.maxNumSeqs,
    maxNumBatchedTokens: limits.maxNumBatchedTokens,
    maxModelLen: limits.maxModelLen,
    maxInFlight: options.maxInFlight ?? 1,
    policy: options.policy ?? 'fcfs',
    ...(options.targetItlMs === undefined ? {} : { targetItlMs: options.targetItlMs }),
  });
  const tokenizer = createFakeTokenizer(limits.vocabSize, EOS);
  const { clock } = options;
  const engine = new Engine({
    session,
    scheduler,
    kvCache,
    tokenizer,
    limits,
    ...(clock === undefined ? {} : { clock }),
  });
  return { engine, session, kvCache };
}

function hostTierOf(numBlocks: number, isWorthLoading: HarnessOptions['isWorthLoading']) {
  return { numBlocks, ...(isWorthLoading === undefined ? {} : { isWorthLoading }) };
}

let numRequests = 0;

export function request(
  promptTokenIds: ArrayLike<number>,
  sampling: SamplingOptions = {},
  requestId?: string,
  extras: Omit<GenerateRequest, 'requestId' | 'promptTokenIds' | 'sampling'> = {},
): GenerateRequest {
  return {
    ...extras,
    requestId: requestId ?? `r${numRequests++}`,
    promptTokenIds: Int32Array.from(promptTokenIds),
    sampling: completeSampling({ temperature: 0, ...sampling }, () => 7n),
  };
}

/** All deltas of a stream. */
export async function collect(stream: AsyncIterable<OutputDelta>): Promise<OutputDelta[]> {
  const deltas: OutputDelta[] = [];
  for await (const delta of stream) deltas.push(delta);
  return deltas;
}

export interface Joined {
  readonly text: string;
  readonly tokenIds: number[];
  readonly logprobs: number[];
  readonly promptLogprobs: OutputDelta['promptLogprobs'];
  readonly last: OutputDelta;
}

/** A stream as one result. */
export async function join(stream: AsyncIterable<OutputDelta>): Promise<Joined> {
  return joinDeltas(await collect(stream));
}

/** A stream as one result a choice. */
export async function joinChoices(stream: AsyncIterable<OutputDelta>, numChoices: number): Promise<Joined[]> {
  const deltas = await collect(stream);
  return Array.from({ length: numChoices }, (_, index) => joinDeltas(deltas.filter((delta) => delta.index === index)));
}

function joinDeltas(deltas: readonly OutputDelta[]): Joined {
  return {
    text: deltas.map((delta) => delta.text).join(''),
    tokenIds: deltas.flatMap((delta) => delta.tokenIds),
    logprobs: deltas.flatMap((delta) => delta.logprobs ?? []).map(({ chosen }) => chosen.logprob),
    promptLogprobs: deltas.find((delta) => delta.promptLogprobs !== undefined)?.promptLogprobs,
    last: deltas.at(-1) as OutputDelta,
  };
}
