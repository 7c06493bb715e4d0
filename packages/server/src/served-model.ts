import type {
  ChatTemplate,
  FinishReason,
  GenerateRequest,
  HostTierStats,
  KvCacheEvent,
  OutputDelta,
  RequestUsage,
  SamplingParams,
  Tokenizer,
  WaitingCounts,
} from '@kvasir/interfaces';

/** A model that can be served. An `LLM` of `@kvasir/engine` is one. */
export interface ServedModel {
  /** Name under which clients ask for it, unless the server's options give others. */
  readonly name: string;
  readonly tokenizer: Tokenizer;
  /** `undefined` when the checkpoint has none; chat is then refused. */
  readonly chatTemplate: ChatTemplate | undefined;
  readonly engine: ServedEngine;
  /** What the model's files ask for where a request is silent. */
  readonly defaultSampling?: SamplingDefaults | undefined;
  /** Compiles a template that a client sent, within the bounds of untrusted text. Absent: such templates are refused. */
  compileChatTemplate?(source: string, limits?: { readonly timeoutMs: number }): Promise<ChatTemplate>;
  /** Where it runs, what memory it takes and what decides its bits, for `/server_info`. Nothing secret. */
  readonly device?: object | undefined;
  readonly memory?: object | undefined;
  readonly numericsId?: string | undefined;
  /** How its KV cache is laid out, for `/metrics`. */
  readonly kvCacheConfig?: KvCacheLayout | undefined;
}

/** How a KV cache is laid out. */
export interface KvCacheLayout {
  /** Tokens a block. */
  readonly blockSize: number;
  /** Blocks of the host tier; 0 without one. */
  readonly numHostBlocks: number;
  readonly dtype: string;
  /** Of the pool, without the host tier. */
  readonly sizeBytes: number;
  readonly enablePrefixCaching: boolean;
}

/** Sampling fields for which a model's files may have values of their own. */
export type SamplingDefaults = Partial<
  Pick<SamplingParams, 'temperature' | 'topP' | 'topK' | 'minP' | 'typicalP' | 'repetitionPenalty' | 'maxTokens'>
>;

/** The part of an engine that HTTP needs. */
export interface ServedEngine {
  readonly limits: {
    /** Most tokens of a sequence, prompt and output together. */
    readonly maxModelLen: number;
    /** Most alternatives a position. */
    readonly maxLogprobs: number;
  };

  /** A seed for a request that has none. */
  drawSeed(): bigint;

  /**
   * Admits a request. Deltas wait for a slow consumer by growing, never by queueing.
   * @param options - `arrivalMs`: when the HTTP request came, on the clock of `performance.now()`.
   * @throws `KvasirError` `ERR_QUEUE_FULL` when the admission queue has no room.
   */
  submit(request: GenerateRequest, options: { readonly arrivalMs: number }): AsyncIterable<OutputDelta>;

  /** Ends a request wherever it is; its blocks are free after the last step that holds it. Unknown ids are ignored. */
  abort(requestId: string): unknown;

  /** Forgets every cached prefix that no running request holds; absent where there is no cache to forget. */
  resetPrefixCache?(): void;

  /** Calls `listener` for what the KV cache stores, removes and clears, until the returned function is called; absent where nobody tells. */
  subscribeKvEvents?(listener: (event: KvCacheEvent) => void): () => void;

  /** Numbers as of now. */
  stats(): EngineNumbers;

  /** What broke it for good; `undefined` or absent while all is well. */
  readonly failure?: Error | undefined;

  /** Calls `observer` for each event, until the returned function is called. */
  observe(observer: ServedEngineObserver): () => void;
}

/** Numbers of a {@link ServedEngine}: gauges as of now, counters since it was loaded. What is absent is nothing. */
export interface EngineNumbers {
  readonly numRunning: number;
  readonly numWaiting: number;
  /** Share of the KV blocks that sequences hold, 0 to 1. */
  readonly kvCacheUsage: number;
  readonly numBlocks: number;
  readonly numFreeBlocks: number;
  readonly promptTokens: number;
  readonly cachedPromptTokens: number;
  readonly generationTokens: number;
  readonly numPreemptions: number;
  /** Prompt tokens looked up in the prefix cache, and found there. */
  readonly prefixQueriedTokens: number;
  readonly prefixHitTokens: number;
  /** Requests that ended, by reason. */
  readonly finished: Readonly<Record<FinishReason, number>>;
  readonly waitingByReason?: WaitingCounts;
  readonly numBypasses?: number;
  readonly numCachedBlocks?: number;
  readonly numPinnedBlocks?: number;
  readonly numEvictedBlocks?: number;
  readonly hostTier?: HostTierStats | null;
  readonly numSteps?: number;
  readonly numFailedSteps?: number;
  readonly numDeadlinesExceeded?: number;
  /** By name, `''` for requests that name none. */
  readonly tenants?: ReadonlyMap<string, TenantNumbers>;
}

/** Counters of one tenant. */
export interface TenantNumbers {
  readonly numRequests: number;
  readonly numFinished: number;
  readonly promptTokens: number;
  readonly cachedPromptTokens: number;
  readonly generationTokens: number;
}

/** One step that has a result. */
export interface StepNumbers {
  readonly numTokens: number;
  /** Submission to result. */
  readonly elapsedMs?: number;
  /** In the backend. */
  readonly computeMs?: number;
}

/** One request that ended. Intervals are `undefined` where a stage was not reached. */
export interface FinishedRequest {
  readonly usage: RequestUsage;
  readonly maxTokens: number;
  /** Choices returned. Default 1. */
  readonly numChoices?: number;
  /** Output tokens of its longest sequence. Default: all of them. */
  readonly longestOutput?: number;
  /** Arrival to first step. */
  readonly queueMs: number | undefined;
  /** First step to first token. */
  readonly prefillMs: number | undefined;
  /** First token to last. */
  readonly decodeMs: number | undefined;
  /** First step to last token. */
  readonly inferenceMs: number | undefined;
  /** Arrival to end. */
  readonly endToEndMs: number;
}

/** Hears what a {@link ServedEngine} does. */
export interface ServedEngineObserver {
  /** Arrival to first token. */
  onFirstToken?(ms: number): void;
  /** From the tokens of one step to those of the next, of one request. */
  onInterToken?(ms: number): void;
  /** After each step that has a result. */
  onStep?(step: StepNumbers): void;
  /** After each request's end. */
  onFinish?(request: FinishedRequest): void;
}
