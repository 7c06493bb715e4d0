import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeSafetensors } from '../../src/index.js';
import { TINY, tinyTensors } from './tiny-models.js';

/** What {@link writeTinyBert} may be told. */
export interface TinyBertOptions {
  readonly config?: Record<string, unknown>;
  /** Before every tensor's name. */
  readonly prefix?: string;
  /** Files of sentence-transformers by path; default: none. */
  readonly settings?: Record<string, unknown>;
}

/** `modules.json` of a model that pools and normalises. */
export const SENTENCE_MODULES = ['Transformer', 'Pooling', 'Normalize'].map((kind, idx) => ({
  idx,
  name: String(idx),
  path: ['', '1_Pooling', '2_Normalize'][idx],
  type: `sentence_transformers.models.${kind}`,
}));

/** Writes the folder of a BERT of two layers with 8 positions. */
export async function writeTinyBert(folder: string, { config, prefix = '', settings = {} }: TinyBertOptions = {}) {
  mkdirSync(join(folder, '1_Pooling'), { recursive: true });
  const { hidden, ffn, vocab, heads, layers } = TINY;
  const shapes: Record<string, number[]> = {
    'embeddings.word_embeddings.weight': [vocab, hidden],
    'embeddings.position_embeddings.weight': [8, hidden],
    'embeddings.token_type_embeddings.weight': [2, hidden],
    ...norm('embeddings.LayerNorm'),
    ...dense('pooler.dense', hidden, hidden),
  };
  for (let layer = 0; layer < layers; layer++) {
    const at = `encoder.layer.${layer}`;
    for (const part of ['query', 'key', 'value'])
      Object.assign(shapes, dense(`${at}.attention.self.${part}`, hidden, hidden));
    Object.assign(
      shapes,
      dense(`${at}.attention.output.dense`, hidden, hidden),
      norm(`${at}.attention.output.LayerNorm`),
    );
    Object.assign(shapes, dense(`${at}.intermediate.dense`, ffn, hidden), dense(`${at}.output.dense`, hidden, ffn));
    Object.assign(shapes, norm(`${at}.output.LayerNorm`));
  }
  const files: Record<string, unknown> = {
    'config.json': {
      architectures: ['BertModel'],
      _name_or_path: 'someone/else',
      hidden_size: hidden,
      intermediate_size: ffn,
      num_attention_heads: heads,
      num_hidden_layers: layers,
      max_position_embeddings: 8,
      layer_norm_eps: 1e-12,
      hidden_act: 'gelu',
      ...config,
    },
    'tokenizer.json': {},
    ...settings,
  };
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), JSON.stringify(content));
  const tensors = tinyTensors(shapes).map((tensor) => ({ ...tensor, name: prefix + tensor.name }));
  await writeSafetensors(join(folder, 'model.safetensors'), tensors, { format: 'pt' });
}

function norm(name: string) {
  return { [`${name}.weight`]: [TINY.hidden], [`${name}.bias`]: [TINY.hidden] };
}

function dense(name: string, numOutputs: number, numInputs: number) {
  return { [`${name}.weight`]: [numOutputs, numInputs], [`${name}.bias`]: [numOutputs] };
}
