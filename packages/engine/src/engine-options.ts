import type { KvCacheManager, Scheduler, Session, Tokenizer } from '@kvasir/interfaces';
import type { Clock } from './clock.js';

/** What an engine was sized for. Every request is held to it at `submit`. */
export interface EngineLimits {
  /** Longest sequence, prompt and output. */
  readonly maxModelLen: number;
  /** Sequences that run at the same time. */
  readonly maxNumSeqs: number;
  readonly maxNumBatchedTokens: number;
  /** Requests that may wait; more are refused. */
  readonly maxQueuedRequests: number;
  /** Most alternatives a position. */
  readonly maxLogprobs: number;
  readonly vocabSize: number;
  /** Steps that may be submitted before the first has its result. */
  readonly maxInFlight: number;
}

/** Parts that an engine drives. It owns all of them from here on and closes the session. */
export interface EngineOptions {
  readonly session: Session;
  readonly scheduler: Scheduler;
  readonly kvCache: KvCacheManager;
  readonly tokenizer: Tokenizer;
  readonly limits: EngineLimits;
  /** Those of the session: they end beams. Default: the tokenizer's. */
  readonly eosTokenIds?: readonly number[];
  readonly clock?: Clock;
  /** Seeds for requests without one. Default: random. */
  readonly drawSeed?: () => bigint;
}

/** How {@link Engine.submit} is told more than the request says. */
export interface SubmitOptions {
  /** Ends the request wherever it is; its stream rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** When the request arrived, on the engine's clock (`performance.now()`), so that intervals include work before `submit`. */
  readonly arrivalMs?: number | undefined;
}

/** How {@link Engine.close} ends what is running. */
export interface CloseOptions {
  /** How long running requests may go on before they are aborted. Default 0. */
  readonly drainTimeoutMs?: number | undefined;
}
