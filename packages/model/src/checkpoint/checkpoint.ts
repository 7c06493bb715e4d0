import type { ByteRange, Encoding, WeightFile } from '@kvasir/interfaces';

/** One tensor as a header describes it. */
export interface TensorInfo {
  readonly name: string;
  /** Row-major, slowest first. */
  readonly shape: readonly number[];
  /** The format's own name of the type in lower case, such as `q4_k` or `bf16`. */
  readonly dtype: string;
  /** Absent for a type that is known to the format but not decoded here. */
  readonly encoding?: Encoding;
  readonly bytes: ByteRange;
}

/** What all formats have in common: files and the tensors in them. */
export interface Checkpoint {
  readonly format: 'gguf' | 'safetensors';
  /** File to name in messages. */
  readonly path: string;
  readonly files: readonly WeightFile[];
  readonly tensors: ReadonlyMap<string, TensorInfo>;
}

/** Elements of a tensor; 1 for a scalar. */
export function numElements(shape: readonly number[]): number {
  return shape.reduce((product, dimension) => product * dimension, 1);
}
