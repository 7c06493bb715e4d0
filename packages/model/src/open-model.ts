import { locateCheckpoint } from './locate-checkpoint.js';
import type { ModelDescription, OpenModelOptions } from './model-description.js';
import { openGguf } from './open-gguf.js';
import { openSafetensors } from './open-safetensors.js';

/**
 * Opens a model by its headers: what it computes, how it tokenises, where its weights lie. Weights are not loaded.
 * @param path - A `.gguf` file (one file of a split stands for all), a `.safetensors` file beside its `config.json`, or a folder with either.
 * @throws {@link InvalidCheckpointError} If a file contradicts its format, its size or the model's settings.
 * @throws `UnsupportedError` For an architecture, tensor type or setting that is not built.
 */
export async function openModel(path: string, options: OpenModelOptions = {}): Promise<ModelDescription> {
  const location = await locateCheckpoint(path);
  return location.format === 'gguf' ? openGguf(location.path, options) : openSafetensors(location.path, options);
}
