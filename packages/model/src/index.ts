export { InvalidCheckpointError } from './errors.js';
export type { GenerationDefaults, ModelDescription, OpenModelOptions } from './model-description.js';
export { openModel } from './open-model.js';
