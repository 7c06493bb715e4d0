import type { ModelDescription, OpenModelOptions } from './model-description.js';
import { openGguf } from './open-gguf.js';

/**
 * Opens a model by its headers: what it computes, how it tokenises, where its weights lie. Weights are not loaded.
 * @param path - A `.gguf` file (one file of a split stands for all).
 * @throws {@link InvalidCheckpointError} If a file contradicts its format, its size or the model's settings.
 * @throws {@link UnsupportedError} For an architecture, tensor type or setting that is not built.
 */
export async function openModel(path: string, options: OpenModelOptions = {}): Promise<ModelDescription> {
  return openGguf(path, options);
}
