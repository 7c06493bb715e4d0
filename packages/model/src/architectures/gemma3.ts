import { type Program, UnsupportedError, type ValueId } from '@kvasir/interfaces';
import type { FieldReader } from '../checkpoint/field-reader.js';
import { defined } from '../defined.js';
import { groupKvLayers } from '../program/kv-groups.js';
import type { NormUse, ProgramBuilder } from '../program/program-builder.js';
import {
  ggufRopeScaling,
  huggingFaceRopeScaling,
  type RopeScaling,
  ropeScalingToHuggingFace,
  ropeTable,
} from '../program/rope-scaling.js';
import type { Architecture, BuildOptions, DecoderSizes, SettingsSource } from './architecture.js';
import { decoderSizesToHuggingFace, ggufDecoderSizes, huggingFaceDecoderSizes } from './decoder-sizes.js';

/** Settings of a {@link gemma3} model. */
export interface Gemma3Config extends DecoderSizes {
  /** For each layer its window in tokens, or `undefined` where it sees everything. */
  readonly windows: readonly (number | undefined)[];
  readonly ropeBase: number;
  /** Stretches the full layers only. */
  readonly ropeScaling: RopeScaling;
  readonly windowRopeBase: number;
  readonly attentionScale: number;
  readonly attentionSoftcap?: number;
  readonly logitSoftcap?: number;
  /** Hugging Face stores norm weights minus one, GGUF as they are used. */
  readonly normOffset: 0 | 1;
}

const BASE = { min: 1, max: 1e12 };
/** transformers' `Gemma3TextConfig`; the larger models' files leave these out. */
const DEFAULTS = { numHeads: 8, numKvHeads: 4, headDim: 256, maxPositions: 131_072 };
const CAP = { min: 1e-3, max: 1e9 };
/** Every sixth layer sees everything (arXiv 2503.19786, section 2). */
const LAYER_PERIOD = 6;

/** Gemma 3 text (arXiv 2503.19786): five window layers to one full, two rope bases, norms of query and key, norms on both sides of each block. */
export const gemma3: Architecture<Gemma3Config> = {
  name: 'gemma3',
  ggufNames: ['gemma3'],
  huggingFaceNames: ['Gemma3ForCausalLM', 'Gemma3ForConditionalGeneration'],
  huggingFaceTensors: {
    attn_norm: 'input_layernorm',
    attn_q: 'self_attn.q_proj',
    attn_k: 'self_attn.k_proj',
    attn_v: 'self_attn.v_proj',
    attn_q_norm: 'self_attn.q_norm',
    attn_k_norm: 'self_attn.k_norm',
    attn_output: 'self_attn.o_proj',
    post_attention_norm: 'post_attention_layernorm',
    ffn_norm: 'pre_feedforward_layernorm',
    ffn_gate: 'mlp.gate_proj',
    ffn_up: 'mlp.up_proj',
    ffn_down: 'mlp.down_proj',
    post_ffw_norm: 'post_feedforward_layernorm',
  },
  huggingFaceNormOffset: 1,
  fromGguf,
  fromHuggingFace,
  toHuggingFace,
  build,
};

function fromGguf({ fields }: SettingsSource): Gemma3Config {
  const sizes = ggufDecoderSizes(fields);
  const window = fields.integer('attention.sliding_window', { min: 1 });
  const period = fields.integer('attention.sliding_window_pattern', { min: 1, max: 64 }, LAYER_PERIOD);
  // The header has no key for the scale: as in llama.cpp, only the 27B (62 layers) differs from 1/sqrt(headDim).
  const scaleWidth = sizes.numLayers === 62 ? sizes.hiddenSize / sizes.numHeads : sizes.headDim;
  return {
    ...sizes,
    windows: Array.from({ length: sizes.numLayers }, (_, layer) => ((layer + 1) % period === 0 ? undefined : window)),
    ropeBase: fields.number('rope.freq_base', BASE, 1_000_000),
    ropeScaling: ggufRopeScaling(fields),
    windowRopeBase: fields.number('rope.freq_base_swa', BASE, 10_000),
    attentionScale: scaleWidth ** -0.5,
    ...defined('logitSoftcap', fields.optionalNumber('final_logit_softcapping', CAP)),
    ...defined('attentionSoftcap', fields.optionalNumber('attn_logit_softcapping', CAP)),
    normOffset: 0,
  };
}

function fromHuggingFace({ fields: config }: SettingsSource): Gemma3Config {
  const fields = config.object('text_config') ?? config;
  const activation = fields.optionalString('hidden_activation') ?? 'gelu_pytorch_tanh';
  if (activation !== 'gelu_pytorch_tanh') {
    throw new UnsupportedError(
      activation,
      `${fields.file}: hidden_activation is '${activation}', expected 'gelu_pytorch_tanh'`,
    );
  }
  const sizes = huggingFaceDecoderSizes(fields, DEFAULTS);
  // transformers 5 writes one set of rope parameters a kind of layer, earlier ones two bases.
  const rope = fields.object('rope_parameters');
  const full = rope?.object('full_attention');
  const local = rope?.object('sliding_attention');
  return {
    ...sizes,
    windows: huggingFaceWindows(fields, sizes.numLayers),
    ropeBase: (full ?? fields).number('rope_theta', BASE, 1_000_000),
    ropeScaling: huggingFaceRopeScaling(full ?? fields.object('rope_scaling')),
    windowRopeBase: local?.number('rope_theta', BASE) ?? fields.number('rope_local_base_freq', BASE, 10_000),
    attentionScale: fields.number('query_pre_attn_scalar', { min: 1 }, 256) ** -0.5,
    ...defined('logitSoftcap', fields.optionalNumber('final_logit_softcapping', CAP)),
    ...defined('attentionSoftcap', fields.optionalNumber('attn_logit_softcapping', CAP)),
    normOffset: gemma3.huggingFaceNormOffset,
  };
}

function toHuggingFace(config: Gemma3Config): Record<string, unknown> {
  return {
    architectures: ['Gemma3ForCausalLM'],
    ...decoderSizesToHuggingFace(config),
    hidden_activation: 'gelu_pytorch_tanh',
    layer_types: config.windows.map((window) => (window === undefined ? 'full_attention' : 'sliding_attention')),
    ...defined(
      'sliding_window',
      config.windows.find((window) => window !== undefined),
    ),
    rope_theta: config.ropeBase,
    rope_scaling: ropeScalingToHuggingFace(config.ropeScaling),
    rope_local_base_freq: config.windowRopeBase,
    query_pre_attn_scalar: config.attentionScale ** -2,
    ...defined('final_logit_softcapping', config.logitSoftcap),
    ...defined('attn_logit_softcapping', config.attentionSoftcap),
  };
}

function huggingFaceWindows(fields: FieldReader, numLayers: number): (number | undefined)[] {
  const window = fields.integer('sliding_window', { min: 1 }, 4096);
  const types = fields.get('layer_types');
  if (types === undefined) {
    const key = fields.has('sliding_window_pattern') ? 'sliding_window_pattern' : '_sliding_window_pattern';
    const period = fields.integer(key, { min: 1, max: 64 }, LAYER_PERIOD);
    return Array.from({ length: numLayers }, (_, layer) => ((layer + 1) % period === 0 ? undefined : window));
  }
  const known = ['full_attention', 'sliding_attention'];
  if (!Array.isArray(types) || types.length !== numLayers || !types.every((type) => known.includes(type))) {
    return fields.fail('layer_types', types, `${numLayers} of ${known.join(', ')}`);
  }
  return types.map((type) => (type === 'full_attention' ? undefined : window));
}

function build(config: Gemma3Config, model: ProgramBuilder, options: BuildOptions): Program {
  const { hiddenSize, headDim, maxPositions, rmsNormEps: eps, normOffset: weightOffset } = config;
  const vocabSize = model.shape('token_embd.weight')[0] as number;
  const embedding = model.weight('token_embd.weight', [vocabSize, hiddenSize], { shard: 'row' });
  const fullTable = model.ropeTable(ropeTable(config.ropeBase, headDim, config.ropeScaling));
  const windowTable = model.ropeTable(ropeTable(config.windowRopeBase, headDim, { kind: 'none' }));
  const norm = (name: string, input: ValueId) => model.rmsNorm(name, input, eps, { weightOffset });
  // transformers rounds the scale to the weights' dtype, llama.cpp does not; unrounded is what both compute in float32.
  const start = model.embed(embedding, Math.fround(Math.sqrt(hiddenSize)));

  let hidden = start;
  config.windows.forEach((window, index) => {
    const layer = `blk.${index}`;
    const table = window === undefined ? fullTable : windowTable;
    const attended = attention(
      config,
      model,
      { layer, table, ...defined('window', window) },
      norm(`${layer}.attn_norm`, hidden),
    );
    hidden = model.add(`${layer}.attn_residual`, hidden, norm(`${layer}.post_attention_norm`, attended));
    const fed = feedForward(config, model, layer, norm(`${layer}.ffn_norm`, hidden));
    hidden = model.add(`${layer}.residual`, hidden, norm(`${layer}.post_ffw_norm`, fed));
    model.mark(`layer.${index}`, hidden);
  });

  const logits = model.head(norm('output_norm', model.gatherOutputs(hidden)), embedding);
  if (config.logitSoftcap !== undefined) model.softcap(logits, config.logitSoftcap);
  return model.finish({ ...options, maxPositions, kvGroups: groupKvLayers(config.windows) }, start, logits);
}

function attention(
  config: Gemma3Config,
  model: ProgramBuilder,
  { layer, table, window }: { readonly layer: string; readonly table: number; readonly window?: number },
  input: ValueId,
): ValueId {
  const { numHeads, numKvHeads, headDim, rmsNormEps: eps } = config;
  const perHead: NormUse = { weightOffset: config.normOffset, groupWidth: headDim };
  const rows = { shard: 'row' } as const;
  const query = model.rmsNorm(
    `${layer}.attn_q_norm`,
    model.project(`${layer}.attn_q`, input, numHeads * headDim, rows),
    eps,
    perHead,
  );
  const key = model.rmsNorm(
    `${layer}.attn_k_norm`,
    model.project(`${layer}.attn_k`, input, numKvHeads * headDim, rows),
    eps,
    perHead,
  );
  const value = model.project(`${layer}.attn_v`, input, numKvHeads * headDim, rows);
  model.rope(query, table, headDim);
  model.rope(key, table, headDim);

  const kvLayer = model.kvLayer({ numKvHeads, headDim });
  model.kvWrite(key, value, kvLayer);
  const mixed = model.attention(query, {
    layer: kvLayer,
    numHeads,
    scale: config.attentionScale,
    ...defined('window', window),
    ...defined('softcap', config.attentionSoftcap),
  });
  return model.project(`${layer}.attn_output`, mixed, config.hiddenSize, { shard: 'column' });
}

function feedForward(config: Gemma3Config, model: ProgramBuilder, layer: string, input: ValueId): ValueId {
  const gate = model.project(`${layer}.ffn_gate`, input, config.intermediateSize, { shard: 'row' });
  const up = model.project(`${layer}.ffn_up`, input, config.intermediateSize, { shard: 'row' });
  const gated = model.gatedActivation('gelu-tanh', gate, up);
  return model.project(`${layer}.ffn_down`, gated, config.hiddenSize, { shard: 'column' });
}
