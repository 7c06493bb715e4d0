import { UnsupportedError } from '@kvasir/interfaces';
import type { FieldReader } from '../checkpoint/field-reader.js';
import type { DecoderSizes } from './architecture.js';

const COUNT = { min: 1, max: 1 << 20 };
const EPS = { min: 1e-12, max: 1 };

/** Reads the sizes of a decoder from `<architecture>.*` of a GGUF header. */
export function ggufDecoderSizes(fields: FieldReader): DecoderSizes {
  const hiddenSize = fields.integer('embedding_length', COUNT);
  const numHeads = fields.integer('attention.head_count', COUNT);
  const headDim = fields.integer('attention.key_length', COUNT, hiddenSize / numHeads);
  const valueDim = fields.integer('attention.value_length', COUNT, headDim);
  if (valueDim !== headDim) {
    const message = `${fields.file}: heads have keys of ${headDim} and values of ${valueDim} elements, expected the same`;
    throw new UnsupportedError('attention.value_length', message);
  }
  return checkHeads(fields, 'attention.head_count_kv', {
    numLayers: fields.integer('block_count', { min: 1, max: 4096 }),
    hiddenSize,
    intermediateSize: fields.integer('feed_forward_length', COUNT),
    numHeads,
    numKvHeads: fields.integer('attention.head_count_kv', COUNT, numHeads),
    headDim,
    maxPositions: fields.integer('context_length', { min: 1 }),
    rmsNormEps: fields.number('attention.layer_norm_rms_epsilon', EPS),
  });
}

/**
 * Reads the sizes of a decoder from a `config.json`.
 * @param defaults - What the model's configuration class fills in for keys that are left out.
 */
export function huggingFaceDecoderSizes(fields: FieldReader, defaults: Partial<DecoderSizes> = {}): DecoderSizes {
  const hiddenSize = fields.integer('hidden_size', COUNT);
  const numHeads = fields.integer('num_attention_heads', COUNT, defaults.numHeads);
  return checkHeads(fields, 'num_key_value_heads', {
    numLayers: fields.integer('num_hidden_layers', { min: 1, max: 4096 }),
    hiddenSize,
    intermediateSize: fields.integer('intermediate_size', COUNT),
    numHeads,
    numKvHeads: fields.integer('num_key_value_heads', COUNT, defaults.numKvHeads ?? numHeads),
    headDim: fields.integer('head_dim', COUNT, defaults.headDim ?? hiddenSize / numHeads),
    maxPositions: fields.integer('max_position_embeddings', { min: 1 }, defaults.maxPositions),
    // In float32, as it is used and as GGUF stores it: both formats make the same program.
    rmsNormEps: Math.fround(fields.number('rms_norm_eps', EPS, 1e-6)),
  });
}

/** The keys of a `config.json` that {@link huggingFaceDecoderSizes} reads. */
export function decoderSizesToHuggingFace(sizes: DecoderSizes): Record<string, unknown> {
  return {
    num_hidden_layers: sizes.numLayers,
    hidden_size: sizes.hiddenSize,
    intermediate_size: sizes.intermediateSize,
    num_attention_heads: sizes.numHeads,
    num_key_value_heads: sizes.numKvHeads,
    head_dim: sizes.headDim,
    max_position_embeddings: sizes.maxPositions,
    rms_norm_eps: sizes.rmsNormEps,
  };
}

function checkHeads(fields: FieldReader, key: string, sizes: DecoderSizes): DecoderSizes {
  const { numHeads, numKvHeads, headDim } = sizes;
  if (numHeads % numKvHeads !== 0) fields.fail(key, numKvHeads, `a divisor of the ${numHeads} query heads`);
  if (headDim % 2 !== 0) fields.fail('head_dim', headDim, 'an even number, since rope turns pairs');
  return sizes;
}
