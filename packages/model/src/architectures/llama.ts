import { type Program, UnsupportedError, type ValueId } from '@kvasir/interfaces';
import type { FieldReader } from '../checkpoint/field-reader.js';
import { defined } from '../defined.js';
import { groupKvLayers } from '../program/kv-groups.js';
import type { ProgramBuilder, WeightUse } from '../program/program-builder.js';
import {
  ggufRopeScaling,
  huggingFaceRopeScaling,
  type RopeScaling,
  ropeScalingToHuggingFace,
  ropeTable,
} from '../program/rope-scaling.js';
import type { Architecture, BuildOptions, DecoderSizes, SettingsSource } from './architecture.js';
import { decoderSizesToHuggingFace, ggufDecoderSizes, huggingFaceDecoderSizes } from './decoder-sizes.js';

/** Settings of a {@link llama} model. */
export interface LlamaConfig extends DecoderSizes {
  readonly ropeBase: number;
  readonly ropeScaling: RopeScaling;
  /** Tokens that a query sees (Mistral 7B v0.1); absent is all. */
  readonly window?: number;
  /** GGUF stores query and key rows in pairs for interleaved rope. */
  readonly interleavedRope: boolean;
}

const ROPE_BASE = { min: 1, max: 1e12 };

/** Llama 2 and 3, SmolLM2, TinyLlama, Mistral (arXiv 2302.13971, 2310.06825): pre-norm, grouped-query attention, rope, SwiGLU. */
export const llama: Architecture<LlamaConfig> = {
  name: 'llama',
  ggufNames: ['llama'],
  huggingFaceNames: ['LlamaForCausalLM', 'MistralForCausalLM'],
  huggingFaceTensors: {
    attn_norm: 'input_layernorm',
    attn_q: 'self_attn.q_proj',
    attn_k: 'self_attn.k_proj',
    attn_v: 'self_attn.v_proj',
    attn_output: 'self_attn.o_proj',
    ffn_norm: 'post_attention_layernorm',
    ffn_gate: 'mlp.gate_proj',
    ffn_up: 'mlp.up_proj',
    ffn_down: 'mlp.down_proj',
  },
  huggingFaceNormOffset: 0,
  fromGguf,
  fromHuggingFace,
  toHuggingFace,
  build,
};

function fromGguf({ fields, readVector }: SettingsSource): LlamaConfig {
  const sizes = ggufDecoderSizes(fields);
  if (fields.integer('expert_count', {}, 0) > 0) throw unsupported(fields, 'expert_count', 'mixture-of-experts layers');
  const rotaryDim = fields.integer('rope.dimension_count', {}, sizes.headDim);
  if (rotaryDim !== sizes.headDim) throw unsupported(fields, 'rope.dimension_count', 'rope on a part of a head');
  const divisors = readVector('rope_freqs.weight');
  if (divisors !== undefined && divisors.length !== rotaryDim / 2)
    fields.fail('rope_freqs.weight', divisors.length, `${rotaryDim / 2} divisors`);
  return {
    ...sizes,
    ropeBase: fields.number('rope.freq_base', ROPE_BASE, 10_000),
    ropeScaling: divisors === undefined ? ggufRopeScaling(fields) : { kind: 'divisors', divisors },
    // llama.cpp ignores this key for `llama`; the model was trained with the window and transformers applies it, so it is applied.
    ...defined('window', fields.optionalInteger('attention.sliding_window') || undefined),
    interleavedRope: true,
  };
}

function fromHuggingFace({ fields }: SettingsSource): LlamaConfig {
  const activation = fields.optionalString('hidden_act') ?? 'silu';
  if (activation !== 'silu') throw unsupported(fields, 'hidden_act', `the activation '${activation}'`);
  if (fields.number('partial_rotary_factor', {}, 1) !== 1)
    throw unsupported(fields, 'partial_rotary_factor', 'rope on a part of a head');
  // transformers 5 writes `rope_parameters`, earlier ones `rope_theta` beside `rope_scaling`.
  const rope = fields.object('rope_parameters');
  return {
    ...huggingFaceDecoderSizes(fields),
    ropeBase: (rope?.has('rope_theta') ? rope : fields).number('rope_theta', ROPE_BASE, 10_000),
    ropeScaling: huggingFaceRopeScaling(rope ?? fields.object('rope_scaling')),
    ...defined('window', fields.optionalInteger('sliding_window', { min: 1 })),
    interleavedRope: false,
  };
}

function toHuggingFace(config: LlamaConfig): Record<string, unknown> {
  return {
    architectures: [config.window === undefined ? 'LlamaForCausalLM' : 'MistralForCausalLM'],
    ...decoderSizesToHuggingFace(config),
    hidden_act: 'silu',
    rope_theta: config.ropeBase,
    rope_scaling: ropeScalingToHuggingFace(config.ropeScaling),
    ...defined('sliding_window', config.window),
  };
}

function build(config: LlamaConfig, model: ProgramBuilder, options: BuildOptions): Program {
  const { numLayers, hiddenSize, maxPositions, rmsNormEps: eps } = config;
  const vocabSize = model.shape('token_embd.weight')[0] as number;
  const embedding = model.weight('token_embd.weight', [vocabSize, hiddenSize], { shard: 'row' });
  const table = model.ropeTable(ropeTable(config.ropeBase, config.headDim, config.ropeScaling));
  const start = model.embed(embedding);

  let hidden = start;
  for (let index = 0; index < numLayers; index++) {
    const layer = `blk.${index}`;
    const attended = attention(config, model, layer, table, model.rmsNorm(`${layer}.attn_norm`, hidden, eps));
    hidden = model.add(`${layer}.attn_residual`, hidden, attended);
    const fed = feedForward(config, model, layer, model.rmsNorm(`${layer}.ffn_norm`, hidden, eps));
    hidden = model.add(`${layer}.residual`, hidden, fed);
    model.mark(`layer.${index}`, hidden);
  }

  const last = model.rmsNorm('output_norm', model.gatherOutputs(hidden), eps);
  const logits = model.head(last, embedding);
  const kvGroups = groupKvLayers(Array.from({ length: numLayers }, () => config.window));
  return model.finish({ ...options, maxPositions, kvGroups }, start, logits);
}

function attention(config: LlamaConfig, model: ProgramBuilder, layer: string, table: number, input: ValueId): ValueId {
  const { numHeads, numKvHeads, headDim, window } = config;
  const inOrder = (heads: number): WeightUse => ({
    shard: 'row',
    ...(config.interleavedRope ? { rowOrder: { kind: 'interleaved-rope', numHeads: heads, headDim } } : {}),
  });
  const query = model.project(`${layer}.attn_q`, input, numHeads * headDim, inOrder(numHeads));
  const key = model.project(`${layer}.attn_k`, input, numKvHeads * headDim, inOrder(numKvHeads));
  const value = model.project(`${layer}.attn_v`, input, numKvHeads * headDim, { shard: 'row' });
  model.rope(query, table, headDim);
  model.rope(key, table, headDim);

  const kvLayer = model.kvLayer({ numKvHeads, headDim });
  model.kvWrite(key, value, kvLayer);
  const mixed = model.attention(query, {
    layer: kvLayer,
    numHeads,
    scale: headDim ** -0.5,
    ...defined('window', window),
  });
  return model.project(`${layer}.attn_output`, mixed, config.hiddenSize, { shard: 'column' });
}

function feedForward(config: LlamaConfig, model: ProgramBuilder, layer: string, input: ValueId): ValueId {
  const gate = model.project(`${layer}.ffn_gate`, input, config.intermediateSize, { shard: 'row' });
  const up = model.project(`${layer}.ffn_up`, input, config.intermediateSize, { shard: 'row' });
  const gated = model.gatedActivation('silu', gate, up);
  return model.project(`${layer}.ffn_down`, gated, config.hiddenSize, { shard: 'column' });
}

function unsupported(fields: FieldReader, key: string, what: string): UnsupportedError {
  return new UnsupportedError(
    what,
    `${fields.file}: ${fields.label(key)} asks for ${what}, which this model family is not built with yet`,
  );
}
