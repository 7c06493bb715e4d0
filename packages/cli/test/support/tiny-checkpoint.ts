import { type GgufWriteValue, type TensorData, writeGguf } from '@kvasir/model';
import { DENSE_ENCODINGS } from '@kvasir/quant';

const HIDDEN = 64;
const VOCABULARY = ['<|endoftext|>', '<|im_start|>', '<|im_end|>', ...'abcdefghijklmnopqr', 'ab', 'cd', 'Ġ'];

/** Header settings of a one-layer Llama with a vocabulary of 24 tokens and a context of 512. */
const TINY_METADATA: Readonly<Record<string, GgufWriteValue>> = {
  'general.architecture': 'llama',
  'general.name': 'Tiny',
  'llama.block_count': 1,
  'llama.context_length': 512,
  'llama.embedding_length': HIDDEN,
  'llama.feed_forward_length': 96,
  'llama.attention.head_count': 4,
  'llama.attention.head_count_kv': 2,
  'llama.attention.layer_norm_rms_epsilon': { type: 'f32', value: 1e-5 },
  'tokenizer.ggml.model': 'gpt2',
  'tokenizer.ggml.pre': 'gpt-2',
  'tokenizer.ggml.tokens': { elementType: 'string', values: VOCABULARY },
  'tokenizer.ggml.token_type': { elementType: 'i32', values: Int32Array.from(VOCABULARY, (_, id) => (id < 3 ? 3 : 1)) },
  'tokenizer.ggml.merges': { elementType: 'string', values: ['a b', 'c d'] },
  'tokenizer.ggml.bos_token_id': 1,
  'tokenizer.ggml.eos_token_id': 0,
};

/** Tensors of {@link TINY_METADATA}, with values that are the same each time. */
export function tinyTensors(): TensorData[] {
  const shapes: readonly (readonly [name: string, shape: readonly number[]])[] = [
    ['token_embd.weight', [VOCABULARY.length, HIDDEN]],
    ['output_norm.weight', [HIDDEN]],
    ['blk.0.attn_norm.weight', [HIDDEN]],
    ['blk.0.attn_q.weight', [HIDDEN, HIDDEN]],
    ['blk.0.attn_k.weight', [HIDDEN / 2, HIDDEN]],
    ['blk.0.attn_v.weight', [HIDDEN / 2, HIDDEN]],
    ['blk.0.attn_output.weight', [HIDDEN, HIDDEN]],
    ['blk.0.ffn_norm.weight', [HIDDEN]],
    ['blk.0.ffn_gate.weight', [96, HIDDEN]],
    ['blk.0.ffn_up.weight', [96, HIDDEN]],
    ['blk.0.ffn_down.weight', [HIDDEN, 96]],
  ];
  return shapes.map(([name, shape], index) => {
    const count = shape.reduce((product, size) => product * size, 1);
    const values = Float32Array.from({ length: count }, (_, at) => Math.sin(at * 12.9898 + index * 78.233) * 0.1);
    return { name, shape, encoding: DENSE_ENCODINGS.f32, data: new Uint8Array(values.buffer) };
  });
}

/** Writes the tiny model; `changes` replace settings, `undefined` takes one away. */
export async function writeTinyModel(
  path: string,
  changes: Readonly<Record<string, GgufWriteValue | undefined>> = {},
  tensors: readonly TensorData[] = tinyTensors(),
): Promise<void> {
  const metadata = { ...TINY_METADATA };
  for (const [key, value] of Object.entries(changes)) {
    if (value === undefined) delete metadata[key];
    else metadata[key] = value;
  }
  await writeGguf(path, { metadata, tensors });
}
