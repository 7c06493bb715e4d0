export type { Clock } from './clock.js';
export { systemClock } from './clock.js';
export { Embedder, type Embeddings, type EmbedInput } from './embedder/embedder.js';
export type {
  BatchRecord,
  EmbeddedInput,
  EmbedderObserver,
  EmbedderStats,
} from './embedder/embedder-meters.js';
export type {
  EmbedderLimits,
  EmbedderLoadOptions,
  EmbedderMemory,
  EmbedderParts,
  EmbedOptions,
} from './embedder/embedder-options.js';
export { Engine } from './engine.js';
export type { CloseOptions, EngineLimits, EngineOptions, SubmitOptions } from './engine-options.js';
export type { DeadlineFacts } from './errors.js';
export {
  BatchFailedError,
  DeadlineExceededError,
  DuplicateRequestError,
  EngineClosedError,
  InputTooLongError,
  InsufficientMemoryError,
  PromptTooLongError,
  QueueFullError,
  StepFailedError,
} from './errors.js';
export type { CallOptions, RequestExtras } from './llm/call-options.js';
export type { Completion, CompletionChoice } from './llm/completion.js';
export type { Prompt } from './llm/llm.js';
export { LLM } from './llm/llm.js';
export type { GenerationConfigSource, LoadOptions } from './llm/load-options.js';
export type { KvCacheConfig } from './llm/open-engine.js';
export { availableMemoryBytes, type ReadText } from './memory/available-memory.js';
export type { MemoryReport } from './memory/plan-memory.js';
export type { EngineObserver, EngineStats, RequestRecord, StepRecord } from './observer.js';
export type { OutputChunk, RequestFacts } from './output-stream.js';
export { OutputStream } from './output-stream.js';
export type { LogitBias, SamplingOptions } from './sampling.js';
export { completeSampling, withDefaults } from './sampling.js';
export { drawRandomSeed, seedSequence } from './seeds.js';
export type { TenantStats } from './tenant-meters.js';
