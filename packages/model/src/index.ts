export type { Checkpoint, TensorInfo } from './checkpoint/checkpoint.js';
export type { GgufArray, GgufValue } from './checkpoint/gguf/gguf-types.js';
export type { GgufCheckpoint } from './checkpoint/gguf/read-gguf.js';
export { readGgufCheckpoint } from './checkpoint/gguf/read-gguf-checkpoint.js';
export {
  readSafetensorsCheckpoint,
  type SafetensorsCheckpoint,
} from './checkpoint/safetensors/read-safetensors-checkpoint.js';
export { InvalidCheckpointError } from './errors.js';
export { type CheckpointSummary, inspectCheckpoint, type TensorTypeSummary } from './inspect-checkpoint.js';
export type { GenerationDefaults, ModelDescription, OpenModelOptions } from './model-description.js';
export { openModel } from './open-model.js';
export { validateProgram } from './program/validate-program.js';
export type { TensorData } from './writers/tensor-data.js';
export { type GgufContent, type GgufWriteValue, writeGguf } from './writers/write-gguf.js';
export { writeSafetensors } from './writers/write-safetensors.js';
