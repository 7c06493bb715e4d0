import { type Activation, type Program, UnsupportedError, type ValueId } from '@kvasir/interfaces';
import type { FieldReader } from '../checkpoint/field-reader.js';
import type { ProgramBuilder } from '../program/program-builder.js';
import type { Architecture, BuildOptions, SettingsSource } from './architecture.js';

/** Settings of a {@link bert} model. */
export interface BertConfig {
  readonly numLayers: number;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly numHeads: number;
  readonly maxPositions: number;
  readonly layerNormEps: number;
  readonly activation: Activation;
}

/** `hidden_act` of a config, and what it is here. */
const ACTIVATIONS: Readonly<Record<string, Activation>> = {
  gelu: 'gelu',
  gelu_new: 'gelu-tanh',
  gelu_pytorch_tanh: 'gelu-tanh',
  relu: 'relu',
  silu: 'silu',
};

/** BERT (arXiv 1810.04805), MiniLM and the many encoders for embeddings made of it: post-norm, biases everywhere, learned positions. */
export const bert: Architecture<BertConfig> = {
  name: 'bert',
  ggufNames: [],
  huggingFaceNames: ['BertModel', 'BertForMaskedLM'],
  huggingFaceTensors: {
    attn_q: 'attention.self.query',
    attn_k: 'attention.self.key',
    attn_v: 'attention.self.value',
    attn_output: 'attention.output.dense',
    attn_output_norm: 'attention.output.LayerNorm',
    ffn_up: 'intermediate.dense',
    ffn_down: 'output.dense',
    layer_output_norm: 'output.LayerNorm',
  },
  huggingFaceLayout: {
    prefixes: ['', 'bert.'],
    layers: 'encoder.layer',
    roots: {
      token_embd: 'embeddings.word_embeddings',
      position_embd: 'embeddings.position_embeddings',
      token_types: 'embeddings.token_type_embeddings',
      token_embd_norm: 'embeddings.LayerNorm',
    },
  },
  huggingFaceNormOffset: 0,
  isEncoder: true,
  fromGguf: ({ fields }) => fields.fail('architecture', 'bert', 'a folder with config.json and model.safetensors'),
  fromHuggingFace,
  toHuggingFace,
  build,
};

function fromHuggingFace({ fields }: SettingsSource): BertConfig {
  const positions = fields.optionalString('position_embedding_type') ?? 'absolute';
  if (positions !== 'absolute') throw unsupported(fields, 'position_embedding_type', `${positions} positions`);
  if (fields.boolean('is_decoder', false)) throw unsupported(fields, 'is_decoder', 'causal attention');
  const name = fields.optionalString('hidden_act') ?? 'gelu';
  const activation = ACTIVATIONS[name];
  if (activation === undefined) throw unsupported(fields, 'hidden_act', `the activation '${name}'`);
  const hiddenSize = fields.integer('hidden_size', { min: 1 });
  const numHeads = fields.integer('num_attention_heads', { min: 1 });
  if (hiddenSize % numHeads !== 0) fields.fail('num_attention_heads', numHeads, `a divisor of ${hiddenSize}`);
  return {
    numLayers: fields.integer('num_hidden_layers', { min: 1, max: 1000 }),
    hiddenSize,
    intermediateSize: fields.integer('intermediate_size', { min: 1 }),
    numHeads,
    maxPositions: fields.integer('max_position_embeddings', { min: 1 }),
    layerNormEps: fields.number('layer_norm_eps', {}, 1e-12),
    activation,
  };
}

function toHuggingFace(config: BertConfig): Record<string, unknown> {
  return {
    architectures: ['BertModel'],
    num_hidden_layers: config.numLayers,
    hidden_size: config.hiddenSize,
    intermediate_size: config.intermediateSize,
    num_attention_heads: config.numHeads,
    max_position_embeddings: config.maxPositions,
    layer_norm_eps: config.layerNormEps,
    hidden_act: Object.keys(ACTIVATIONS).find((name) => ACTIVATIONS[name] === config.activation),
  };
}

function build(config: BertConfig, model: ProgramBuilder, options: BuildOptions): Program {
  const { numLayers, hiddenSize, intermediateSize, numHeads, maxPositions, layerNormEps: eps } = config;
  const vocabSize = model.shape('token_embd.weight')[0] as number;
  const numTypes = model.shape('token_types.weight')[0] as number;
  const tokens = model.embed(model.weight('token_embd.weight', [vocabSize, hiddenSize]));
  const types = model.embed(model.weight('token_types.weight', [numTypes, hiddenSize]), 1, 'tokenType');
  const positions = model.embed(model.weight('position_embd.weight', [maxPositions, hiddenSize]), 1, 'position');
  const sum = model.add('embeddings', model.add('embeddings.typed', tokens, types), positions);

  let hidden: ValueId = model.layerNorm('token_embd_norm', sum, eps);
  for (let index = 0; index < numLayers; index++) {
    const layer = `blk.${index}`;
    const project = (name: string, input: ValueId, width: number, shard: 'row' | 'column') =>
      model.project(`${layer}.${name}`, input, width, { shard });
    const query = project('attn_q', hidden, hiddenSize, 'row');
    const key = project('attn_k', hidden, hiddenSize, 'row');
    const value = project('attn_v', hidden, hiddenSize, 'row');
    const scale = (hiddenSize / numHeads) ** -0.5;
    const mixed = model.bidirectionalAttention(`${layer}.attention`, { query, key, value, numHeads, scale });
    const attended = model.add(`${layer}.attn_residual`, project('attn_output', mixed, hiddenSize, 'column'), hidden);
    const middle = model.layerNorm(`${layer}.attn_output_norm`, attended, eps);
    const up = model.activation(
      `${layer}.activation`,
      config.activation,
      project('ffn_up', middle, intermediateSize, 'row'),
    );
    const fed = model.add(`${layer}.residual`, project('ffn_down', up, hiddenSize, 'column'), middle);
    hidden = model.layerNorm(`${layer}.layer_output_norm`, fed, eps);
  }
  const { pooling = 'mean', isNormalized = false } = options.sentence ?? {};
  return model.finishEncoder(
    { name: options.name, maxPositions, taps: options.taps },
    vocabSize,
    model.pool(hidden, pooling, isNormalized),
  );
}

function unsupported(fields: FieldReader, key: string, what: string): UnsupportedError {
  return new UnsupportedError(
    what,
    `${fields.file}: ${fields.label(key)} asks for ${what}, which this model family is not built with yet`,
  );
}
