export type { Checkpoint, TensorInfo } from './checkpoint/checkpoint.js';
export { GGUF_VALUE_TYPES, type GgufArray, type GgufValue, type GgufValueType } from './checkpoint/gguf/gguf-types.js';
export type { GgufCheckpoint } from './checkpoint/gguf/read-gguf.js';
export { readGgufCheckpoint } from './checkpoint/gguf/read-gguf-checkpoint.js';
export {
  readSafetensorsCheckpoint,
  type SafetensorsCheckpoint,
} from './checkpoint/safetensors/read-safetensors-checkpoint.js';
export {
  ChecksumError,
  DiskFullError,
  DownloadError,
  type FailedAttempt,
  InvalidCheckpointError,
  ModelKindError,
  ModelUnavailableError,
} from './errors.js';
export { type CheckpointSummary, inspectCheckpoint, type TensorTypeSummary } from './inspect-checkpoint.js';
export type {
  EmbeddingDefaults,
  GenerationDefaults,
  ModelDescription,
  OpenModelOptions,
  SamplingDefaults,
} from './model-description.js';
export { openModel } from './open-model.js';
export { validateProgram } from './program/validate-program.js';
export { decoderProgram, encoderProgram } from './program-of-kind.js';
export { type CachedFile, type CachedModel, cacheFolder } from './resolve/cache/model-cache.js';
export { type CacheOptions, listCachedModels, removeCachedModel } from './resolve/cached-models.js';
export {
  CATALOGUE,
  type CatalogueEntry,
  type CatalogueFile,
  DEFAULT_MODEL,
  findCatalogueEntry,
  type HubMirror,
  type Mirror,
  type ModelTerms,
  type WheelMirror,
} from './resolve/catalogue.js';
export type { DownloadOptions } from './resolve/http/download-file.js';
export type { PullContext, PullProgress } from './resolve/pull-context.js';
export { type ResolvedModel, type ResolveModelOptions, resolveModel } from './resolve/resolve-model.js';
export { convertToSafetensors } from './writers/convert-to-safetensors.js';
export type { TensorData } from './writers/tensor-data.js';
export { type GgufContent, type GgufWriteValue, writeGguf } from './writers/write-gguf.js';
export { writeSafetensors } from './writers/write-safetensors.js';
