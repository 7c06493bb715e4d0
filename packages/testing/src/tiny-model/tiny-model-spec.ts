import type { BlockLayout, DenseEncoding } from '@kvasir/interfaces';
import fc from 'fast-check';

/** Name of a weight encoding. */
export type EncodingName = DenseEncoding['dtype'] | BlockLayout;

/** A small decoder with random weights, in the shape of a real family. */
export interface TinyModelSpec {
  /** `llama`: SiLU, one norm before each part. `gemma`: GELU, sandwich norms, q/k norms, scaled embeddings, weights stored less one. */
  readonly family: 'llama' | 'gemma';
  readonly numLayers: number;
  readonly hiddenSize: number;
  readonly numHeads: number;
  readonly numKvHeads: number;
  readonly headDim: number;
  readonly intermediateSize: number;
  readonly vocabSize: number;
  readonly maxPositions: number;
  /** The head is the embedding. */
  readonly tied: boolean;
  /** Every second layer sees this many tokens. */
  readonly window: number | undefined;
  /** `cap * tanh(x / cap)` on attention scores and logits. */
  readonly softcap: number | undefined;
  readonly bias: boolean;
  /** Query and key rows are stored as GGUF stores them, rope partners side by side. */
  readonly interleavedRope: boolean;
  /** Encoding of matrices whose rows are whole blocks of it; the others, and vectors, are f32. */
  readonly encoding: EncodingName;
  readonly seed: number;
}

/** Any {@link TinyModelSpec}; fields of `fixed` are taken as they are. */
export function tinyModelSpec(fixed: Partial<TinyModelSpec> = {}): fc.Arbitrary<TinyModelSpec> {
  return fc
    .record({
      family: fc.constantFrom<TinyModelSpec['family']>('llama', 'gemma'),
      numLayers: fc.integer({ min: 1, max: 3 }),
      hiddenSize: fc.constantFrom(32, 64, 96),
      heads: fc.constantFrom([1, 1], [2, 1], [2, 2], [4, 2], [3, 1]),
      headDim: fc.constantFrom(8, 16, 32),
      intermediateSize: fc.constantFrom(32, 64, 80),
      vocabSize: fc.integer({ min: 17, max: 70 }),
      tied: fc.boolean(),
      window: fc.constantFrom(undefined, 1, 3, 8),
      softcap: fc.constantFrom(undefined, undefined, 5, 30),
      bias: fc.boolean(),
      interleavedRope: fc.boolean(),
      encoding: fc.constantFrom<EncodingName>('f32', 'f16', 'bf16', 'q8_0', 'q4_0', 'q4_1', 'q5_0', 'q5_1'),
      seed: fc.nat(),
    })
    .map(({ heads, ...rest }) => ({
      ...rest,
      numHeads: heads[0]!,
      numKvHeads: heads[1]!,
      maxPositions: 128,
      ...fixed,
    }));
}
