import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Encoding } from '@kvasir/interfaces';
import { DENSE_ENCODINGS, encodeRow, encodingBlockSize } from '@kvasir/quant';
import { type GgufWriteValue, type TensorData, writeGguf, writeSafetensors } from '../../src/index.js';

/** Sizes of the tiny models. */
export const TINY = { layers: 2, hidden: 64, heads: 4, kvHeads: 2, headDim: 16, ffn: 96, vocab: 24 };

type Shapes = Record<string, number[]>;

/** Tensor shapes of a tiny Llama under GGUF names. */
export function llamaShapes(layers = TINY.layers): Shapes {
  const { hidden, heads, kvHeads, headDim, ffn, vocab } = TINY;
  const shapes: Shapes = { 'token_embd.weight': [vocab, hidden], 'output_norm.weight': [hidden] };
  for (let layer = 0; layer < layers; layer++) {
    Object.assign(shapes, {
      [`blk.${layer}.attn_norm.weight`]: [hidden],
      [`blk.${layer}.attn_q.weight`]: [heads * headDim, hidden],
      [`blk.${layer}.attn_k.weight`]: [kvHeads * headDim, hidden],
      [`blk.${layer}.attn_v.weight`]: [kvHeads * headDim, hidden],
      [`blk.${layer}.attn_output.weight`]: [hidden, heads * headDim],
      [`blk.${layer}.ffn_norm.weight`]: [hidden],
      [`blk.${layer}.ffn_gate.weight`]: [ffn, hidden],
      [`blk.${layer}.ffn_up.weight`]: [ffn, hidden],
      [`blk.${layer}.ffn_down.weight`]: [hidden, ffn],
    });
  }
  return shapes;
}

/** Tensor shapes of a tiny Gemma 3 under GGUF names. */
export function gemma3Shapes(layers: number): Shapes {
  const { hidden, headDim } = TINY;
  const shapes = llamaShapes(layers);
  for (let layer = 0; layer < layers; layer++) {
    Object.assign(shapes, {
      [`blk.${layer}.attn_q_norm.weight`]: [headDim],
      [`blk.${layer}.attn_k_norm.weight`]: [headDim],
      [`blk.${layer}.post_attention_norm.weight`]: [hidden],
      [`blk.${layer}.post_ffw_norm.weight`]: [hidden],
    });
  }
  return shapes;
}

/** Deterministic weights; matrices in `encoding` where their rows are whole blocks, everything else f32. */
export function tinyTensors(shapes: Shapes, encoding: Encoding = DENSE_ENCODINGS.f32): TensorData[] {
  return Object.entries(shapes).map(([name, shape], index) => {
    const elements = shape.reduce((product, dimension) => product * dimension, 1);
    const values = Float32Array.from({ length: elements }, (_, at) => Math.sin(at * 12.9898 + index * 78.233) * 0.1);
    const fits =
      shape.length === 2 && encoding.kind !== 'grouped' && (shape[1] as number) % encodingBlockSize(encoding) === 0;
    const used = fits ? encoding : DENSE_ENCODINGS.f32;
    return { name, shape, encoding: used, data: encodeRow(used, values) };
  });
}

/** A byte-level BPE vocabulary of 24 tokens. */
function tinyVocabulary(): Record<string, GgufWriteValue> {
  const tokens = ['<|endoftext|>', '<|im_start|>', '<|im_end|>', ...'abcdefghijklmnopqrst', 'Ġ'];
  return {
    'tokenizer.ggml.model': 'gpt2',
    'tokenizer.ggml.pre': 'gpt-2',
    'tokenizer.ggml.tokens': { elementType: 'string', values: tokens },
    'tokenizer.ggml.token_type': { elementType: 'i32', values: Int32Array.from(tokens, (_, id) => (id < 3 ? 3 : 1)) },
    'tokenizer.ggml.merges': { elementType: 'string', values: ['a b', 'c d'] },
    'tokenizer.ggml.bos_token_id': 1,
    'tokenizer.ggml.eos_token_id': 0,
    'tokenizer.chat_template': '{% for m in messages %}<|im_start|>{{ m.content }}<|im_end|>{% endfor %}',
  };
}

/** Header settings of a tiny Llama. */
export function llamaMetadata(extra: Record<string, GgufWriteValue> = {}): Record<string, GgufWriteValue> {
  return { ...settings('llama', TINY.layers), ...tinyVocabulary(), ...extra };
}

/** Header settings of a tiny Gemma 3 with a window of 8. */
export function gemma3Metadata(
  layers: number,
  extra: Record<string, GgufWriteValue> = {},
): Record<string, GgufWriteValue> {
  return { ...settings('gemma3', layers), 'gemma3.attention.sliding_window': 8, ...tinyVocabulary(), ...extra };
}

function settings(family: string, layers: number): Record<string, GgufWriteValue> {
  return {
    'general.architecture': family,
    'general.name': `Tiny ${family}`,
    [`${family}.block_count`]: layers,
    [`${family}.context_length`]: 128,
    [`${family}.embedding_length`]: TINY.hidden,
    [`${family}.feed_forward_length`]: TINY.ffn,
    [`${family}.attention.head_count`]: TINY.heads,
    [`${family}.attention.head_count_kv`]: TINY.kvHeads,
    [`${family}.attention.key_length`]: TINY.headDim,
    [`${family}.attention.value_length`]: TINY.headDim,
    [`${family}.attention.layer_norm_rms_epsilon`]: { type: 'f32', value: 1e-5 },
  };
}

/** Writes a tiny Llama as GGUF. */
export async function writeTinyLlama(
  path: string,
  extra: Record<string, GgufWriteValue> = {},
  encoding?: Encoding,
): Promise<void> {
  await writeGguf(path, { metadata: llamaMetadata(extra), tensors: tinyTensors(llamaShapes(), encoding) });
}

const HUGGING_FACE_PARTS: Record<string, Record<string, string>> = {
  llama: {
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
};
HUGGING_FACE_PARTS['gemma3'] = {
  ...HUGGING_FACE_PARTS['llama'],
  attn_q_norm: 'self_attn.q_norm',
  attn_k_norm: 'self_attn.k_norm',
  post_attention_norm: 'post_attention_layernorm',
  ffn_norm: 'pre_feedforward_layernorm',
  post_ffw_norm: 'post_feedforward_layernorm',
};

/** The Hugging Face name of a GGUF tensor. */
function huggingFaceName(family: 'llama' | 'gemma3', name: string, prefix = 'model.'): string {
  const roots: Record<string, string> = {
    'token_embd.weight': `${prefix}embed_tokens.weight`,
    'output_norm.weight': `${prefix}norm.weight`,
    'output.weight': 'lm_head.weight',
  };
  if (roots[name] !== undefined) return roots[name];
  const [, layer, part, kind] = /^blk\.(\d+)\.(\w+)\.(\w+)$/.exec(name) as RegExpExecArray;
  return `${prefix}layers.${layer}.${HUGGING_FACE_PARTS[family]?.[part as string]}.${kind}`;
}

/** `config.json` of a tiny model. */
function huggingFaceConfig(
  family: 'llama' | 'gemma3',
  layers: number,
  extra: Record<string, unknown> = {},
): Record<string, unknown> {
  return {
    architectures: [family === 'llama' ? 'LlamaForCausalLM' : 'Gemma3ForCausalLM'],
    hidden_size: TINY.hidden,
    intermediate_size: TINY.ffn,
    num_attention_heads: TINY.heads,
    num_key_value_heads: TINY.kvHeads,
    head_dim: TINY.headDim,
    num_hidden_layers: layers,
    max_position_embeddings: 128,
    rms_norm_eps: 1e-5,
    eos_token_id: 0,
    ...(family === 'gemma3' ? { sliding_window: 8, query_pre_attn_scalar: TINY.headDim } : {}),
    ...extra,
  };
}

/** Writes a Hugging Face folder; with `shards` above 1 also an index. */
export async function writeHuggingFaceFolder(
  folder: string,
  family: 'llama' | 'gemma3',
  {
    layers = TINY.layers,
    config = {},
    shards = 1,
    prefix = 'model.',
  }: { layers?: number; config?: Record<string, unknown>; shards?: number; prefix?: string } = {},
): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const shapes = family === 'llama' ? llamaShapes(layers) : gemma3Shapes(layers);
  const tensors = tinyTensors(shapes).map((tensor) => ({
    ...tensor,
    name: huggingFaceName(family, tensor.name, prefix),
  }));
  writeFileSync(join(folder, 'config.json'), JSON.stringify(huggingFaceConfig(family, layers, config)));
  writeFileSync(join(folder, 'tokenizer.json'), '{}');
  if (shards === 1) {
    await writeSafetensors(join(folder, 'model.safetensors'), tensors, { format: 'pt' });
    return;
  }
  const weightMap: Record<string, string> = {};
  for (let shard = 0; shard < shards; shard++) {
    const name = `model-${String(shard + 1).padStart(5, '0')}-of-${String(shards).padStart(5, '0')}.safetensors`;
    const part = tensors.filter((_, index) => index % shards === shard);
    for (const tensor of part) weightMap[tensor.name] = name;
    await writeSafetensors(join(folder, name), part);
  }
  writeFileSync(
    join(folder, 'model.safetensors.index.json'),
    JSON.stringify({ metadata: { total_size: 1 }, weight_map: weightMap }),
  );
}
