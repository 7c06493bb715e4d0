import type { ServedEmbedder } from '../served-embedder.js';
import type { ServedModel } from '../served-model.js';

/** A model, and what it is called in the label `model_name`. */
interface Measured<T> {
  readonly name: string;
  readonly served: T;
}

/** The models that a server has series of. */
export interface MeasuredModels {
  readonly model: Measured<ServedModel> | undefined;
  readonly embedders: readonly Measured<ServedEmbedder>[];
}
