export type { Clock } from './clock.js';
export { systemClock } from './clock.js';
export { Engine } from './engine.js';
export type { CloseOptions, EngineLimits, EngineOptions, SubmitOptions } from './engine-options.js';
export {
  DuplicateRequestError,
  EngineClosedError,
  InsufficientMemoryError,
  PromptTooLongError,
  QueueFullError,
  StepFailedError,
} from './errors.js';
export type { EngineObserver, EngineStats, RequestRecord, StepRecord } from './observer.js';
export type { OutputChunk, RequestFacts } from './output-stream.js';
export { OutputStream } from './output-stream.js';
export type { SamplingOptions } from './sampling.js';
export { completeSampling } from './sampling.js';
