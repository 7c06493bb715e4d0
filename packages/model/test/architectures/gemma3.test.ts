import { join } from 'node:path';
import type { Op } from '@kvasir/interfaces';
import { describe, expect, it } from 'vitest';
import { decoderProgram, type GgufWriteValue, openModel, validateProgram, writeGguf } from '../../src/index.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { gemma3Metadata, gemma3Shapes, tinyTensors, writeHuggingFaceFolder } from '../support/tiny-models.js';

const folder = temporaryFolder();
let number = 0;

async function open(layers: number, extra: Record<string, GgufWriteValue> = {}) {
  const path = join(folder, `${number++}.gguf`);
  await writeGguf(path, { metadata: gemma3Metadata(layers, extra), tensors: tinyTensors(gemma3Shapes(layers)) });
  const program = decoderProgram(await openModel(path));
  validateProgram(program);
  return program;
}

const ofKind = <Kind extends Op['op']>(ops: readonly Op[], kind: Kind) =>
  ops.filter((op) => op.op === kind) as Extract<Op, { op: Kind }>[];

describe('a tiny Gemma 3', () => {
  it('has norms on both sides of each block, on queries and on keys, and a scaled embedding', async () => {
    const program = await open(1);
    expect(program.ops.map(({ op }) => op)).toEqual([
      'embed',
      ...[
        'rmsNorm',
        'linear',
        'rmsNorm',
        'linear',
        'rmsNorm',
        'linear',
        'rope',
        'rope',
        'kvWrite',
        'pagedAttention',
        'linear',
        'rmsNorm',
        'add',
      ],
      ...['rmsNorm', 'linear', 'linear', 'gatedActivation', 'linear', 'rmsNorm', 'add'],
      ...['gatherOutputs', 'rmsNorm', 'linear'],
    ]);
    expect(ofKind(program.ops, 'embed')[0]?.scale).toBe(8);
    expect(ofKind(program.ops, 'gatedActivation')[0]?.activation).toBe('gelu-tanh');
    const norms = ofKind(program.ops, 'rmsNorm');
    expect(norms.map(({ groupWidth }) => groupWidth)).toEqual([64, 16, 16, 64, 64, 64, 64]);
    expect(norms.every(({ weightOffset }) => weightOffset === 0)).toBe(true);
    expect(program.weights.every(({ rowOrder }) => rowOrder === undefined)).toBe(true);
  });

  it('sees everything in each sixth layer only, which alone uses the long rope base', async () => {
    const program = await open(6, {
      'gemma3.rope.scaling.type': 'linear',
      'gemma3.rope.scaling.factor': { type: 'f32', value: 8 },
    });
    expect(ofKind(program.ops, 'pagedAttention').map(({ window }) => window)).toEqual([8, 8, 8, 8, 8, undefined]);
    const tables = ofKind(program.ops, 'rope').map(({ table }) => program.ropeTables[table]?.inverseFrequencies[1]);
    const local = 10_000 ** (-2 / 16);
    expect(tables).toEqual([...new Array(10).fill(local), ...new Array(2).fill(1_000_000 ** (-2 / 16) / 8)]);
  });

  it('splits layers into groups of equal size: one full and five window groups', async () => {
    expect((await open(12)).kvGroups).toEqual([
      { kind: 'full', layers: [5, 11] },
      { kind: 'window', layers: [0, 1], window: 8 },
      { kind: 'window', layers: [2, 3], window: 8 },
      { kind: 'window', layers: [4, 6], window: 8 },
      { kind: 'window', layers: [7, 8], window: 8 },
      { kind: 'window', layers: [9, 10], window: 8 },
    ]);
  });

  it('keeps everything in one full group where groups would be unequal, and still masks', async () => {
    const program = await open(13);
    expect(program.kvGroups).toEqual([{ kind: 'full', layers: Array.from({ length: 13 }, (_, layer) => layer) }]);
    expect(ofKind(program.ops, 'pagedAttention').filter(({ window }) => window === 8)).toHaveLength(11);
  });

  it('caps logits when the header says so', async () => {
    const program = await open(1, { 'gemma3.final_logit_softcapping': { type: 'f32', value: 30 } });
    expect(program.ops.at(-1)).toEqual({ op: 'softcap', value: program.logits, cap: 30 });
  });

  it('reads the rope base of window layers from the header when it is there', async () => {
    const program = await open(1, { 'gemma3.rope.freq_base_swa': { type: 'f32', value: 100 } });
    expect(program.ropeTables[1]?.inverseFrequencies[1]).toBe(100 ** (-2 / 16));
  });
});

describe('a Hugging Face Gemma 3', () => {
  it('differs from its GGUF in the norm offset alone', async () => {
    await writeHuggingFaceFolder(join(folder, 'hf'), 'gemma3', { layers: 6 });
    const fromFolder = decoderProgram(await openModel(join(folder, 'hf')));
    validateProgram(fromFolder);
    const fromGguf = await open(6);
    expect(fromFolder.ops.map((op) => (op.op === 'rmsNorm' ? { ...op, weightOffset: 0 } : op))).toEqual(fromGguf.ops);
    expect(ofKind(fromFolder.ops, 'rmsNorm').every(({ weightOffset }) => weightOffset === 1)).toBe(true);
    expect(fromFolder.ropeTables).toEqual(fromGguf.ropeTables);
    expect(fromFolder.kvGroups).toEqual(fromGguf.kvGroups);
  });

  it('is read from the text part of a model with vision', async () => {
    const text = {
      hidden_size: 64,
      intermediate_size: 96,
      num_attention_heads: 4,
      num_key_value_heads: 2,
      head_dim: 16,
      num_hidden_layers: 6,
      sliding_window: 8,
      query_pre_attn_scalar: 16,
      rms_norm_eps: 1e-5,
      max_position_embeddings: 128,
    };
    const config = { architectures: ['Gemma3ForConditionalGeneration'], text_config: text };
    await writeHuggingFaceFolder(join(folder, 'vision'), 'gemma3', {
      layers: 6,
      config,
      prefix: 'language_model.model.',
    });
    validateProgram(decoderProgram(await openModel(join(folder, 'vision'))));
  });

  it.each([
    [
      'layer types',
      {
        layer_types: ['full_attention', 'sliding_attention'],
        rope_parameters: {
          full_attention: { rope_theta: 500, rope_type: 'default' },
          sliding_attention: { rope_theta: 50, rope_type: 'default' },
        },
      },
    ],
    ['a pattern', { sliding_window_pattern: 1, rope_theta: 500, rope_local_base_freq: 50 }],
  ])('takes %s from its config', async (name, config) => {
    await writeHuggingFaceFolder(join(folder, name), 'gemma3', { layers: 2, config });
    const program = decoderProgram(await openModel(join(folder, name)));
    expect(ofKind(program.ops, 'pagedAttention').map(({ window }) => window)).toEqual([
      undefined,
      name === 'a pattern' ? undefined : 8,
    ]);
    expect(program.ropeTables.map(({ inverseFrequencies }) => inverseFrequencies[1])).toEqual([
      500 ** (-2 / 16),
      50 ** (-2 / 16),
    ]);
  });

  it('refuses layer types that do not fit', async () => {
    await writeHuggingFaceFolder(join(folder, 'bad-types'), 'gemma3', {
      layers: 2,
      config: { layer_types: ['full_attention'] },
    });
    await expect(openModel(join(folder, 'bad-types'))).rejects.toThrow(
      'layer_types: got an array, expected 2 of full_attention, sliding_attention',
    );
  });
});
