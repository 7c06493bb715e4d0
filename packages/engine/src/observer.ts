import type { FinishReason, HostTierStats, RequestUsage, WaitingCounts } from '@kvasir/interfaces';
import type { TenantStats } from './tenant-meters.js';

/** One step that was run. */
export interface StepRecord {
  readonly stepId: number;
  readonly numTokens: number;
  readonly numRows: number;
  readonly numOutputs: number;
  /** Blocks brought from the host tier and kept there, before the step was computed. */
  readonly numLoadedBlocks: number;
  readonly numStoredBlocks: number;
  /** As the backend measured it. */
  readonly computeMs: number;
  /** From submission to result, as the engine saw it. */
  readonly elapsedMs: number;
}

/** One request that ended. Intervals are `undefined` where a stage was not reached. */
export interface RequestRecord {
  readonly requestId: string;
  readonly seed: bigint;
  readonly finishReason: FinishReason;
  readonly usage: RequestUsage;
  readonly maxTokens: number;
  /** Choices returned. */
  readonly numChoices: number;
  /** Output tokens of its longest sequence. */
  readonly longestOutput: number;
  readonly tenant?: string;
  /** Arrival to the first step that holds it. */
  readonly queueMs: number | undefined;
  /** First step to first token. */
  readonly prefillMs: number | undefined;
  /** First to last token. */
  readonly decodeMs: number | undefined;
  /** First step to last token. */
  readonly inferenceMs: number | undefined;
  /** Arrival to first token. */
  readonly timeToFirstTokenMs: number | undefined;
  /** Arrival to end. */
  readonly endToEndMs: number;
}

/** Hears what an engine does, for metrics. Called synchronously; an observer that throws is dropped with a process warning. */
export interface EngineObserver {
  /** Arrival to the first step that holds the request. */
  onQueueTime?(ms: number): void;
  /** Arrival to first token. */
  onFirstToken?(ms: number): void;
  /** From the tokens of one step to those of the next, of one choice. */
  onInterToken?(ms: number): void;
  /** After each step that has a result. */
  onStep?(record: StepRecord): void;
  /** After each request's end. */
  onFinish?(record: RequestRecord): void;
}

/** Counters since the engine was made, and gauges of now. */
export interface EngineStats {
  /** Sequences that run. */
  readonly numRunning: number;
  /** Sequences that wait, preempted ones included. */
  readonly numWaiting: number;
  readonly waitingByReason: WaitingCounts;
  /** Places of the bounded queue that are taken: one a choice of each request that no step has held yet. */
  readonly numQueued: number;
  /** Share of the KV blocks that sequences hold, 0 to 1. */
  readonly kvCacheUsage: number;
  readonly numBlocks: number;
  readonly numFreeBlocks: number;
  readonly numRequests: number;
  /** Prompt tokens of requests that reached their first step, and how many of them were cached. */
  readonly promptTokens: number;
  readonly cachedPromptTokens: number;
  readonly generationTokens: number;
  readonly numPreemptions: number;
  /** Times that a waiting sequence was passed by one that was admitted. */
  readonly numBypasses: number;
  readonly prefixQueriedTokens: number;
  readonly prefixHitTokens: number;
  /** Blocks that hold a prefix which may be found again, blocks that pins hold, and blocks evicted so far. */
  readonly numCachedBlocks: number;
  readonly numPinnedBlocks: number;
  readonly numEvictedBlocks: number;
  /** `null` without a host tier. */
  readonly hostTier: HostTierStats | null;
  readonly finished: Readonly<Record<FinishReason, number>>;
  readonly numSteps: number;
  readonly numFailedSteps: number;
  /** Requests ended because of their `timeoutMs`; they count as `abort` in `finished`. */
  readonly numDeadlinesExceeded: number;
  /** By tenant, `''` for requests that name none; a live view. The 1,001st and later names are counted under `*`. */
  readonly tenants: ReadonlyMap<string, TenantStats>;
}
