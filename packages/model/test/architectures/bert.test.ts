import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { bert } from '../../src/architectures/bert.js';
import { FieldReader } from '../../src/checkpoint/field-reader.js';
import { decoderProgram, encoderProgram, inspectCheckpoint, openModel, validateProgram } from '../../src/index.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { SENTENCE_MODULES, type TinyBertOptions, writeTinyBert } from '../support/tiny-bert.js';

const folder = temporaryFolder();
let number = 0;

const MEAN = { pooling_mode_mean_tokens: true, pooling_mode_cls_token: false, word_embedding_dimension: 64 };
const SENTENCE = {
  'modules.json': SENTENCE_MODULES,
  '1_Pooling/config.json': MEAN,
  'sentence_bert_config.json': { max_seq_length: 6, do_lower_case: false },
};

async function write(options: TinyBertOptions = {}): Promise<string> {
  const path = join(folder, `bert-${number++}`);
  await writeTinyBert(path, options);
  return path;
}

async function open(options: TinyBertOptions = {}) {
  const model = await openModel(await write(options));
  validateProgram(model.program);
  return { ...model, program: encoderProgram(model) };
}

describe('a BERT folder', () => {
  it('becomes an encoder: three embeddings, post-norm layers, pooling', async () => {
    const { program, ...model } = await open({ settings: SENTENCE });
    const layer = [
      ...['linear', 'linear', 'linear', 'bidirectionalAttention', 'linear', 'add', 'layerNorm'],
      ...['linear', 'activation', 'linear', 'add', 'layerNorm'],
    ];
    expect(program.ops.map(({ op }) => op)).toEqual([
      ...['embed', 'embed', 'embed', 'add', 'add', 'layerNorm'],
      ...[...layer, ...layer],
      'pool',
    ]);
    expect(program.ops.flatMap((op) => (op.op === 'embed' ? [op.index] : []))).toEqual([
      undefined,
      'tokenType',
      'position',
    ]);
    expect(program.ops.find((op) => op.op === 'bidirectionalAttention')).toMatchObject({ numHeads: 4, scale: 0.25 });
    expect(program.ops.every((op) => op.op !== 'linear' || op.bias !== undefined)).toBe(true);
    expect(program.ops.at(-1)).toMatchObject({ op: 'pool', kind: 'mean', normalize: true, out: program.output });
    expect(program).toMatchObject({ kind: 'encoder', vocabSize: 24, hiddenSize: 64, maxPositions: 8 });
    expect(model.embedding).toEqual({ maxSequenceLength: 6, width: 64, pooling: 'mean', isNormalized: true });
    expect(model.name).toMatch(/^bert-\d+$/);
    expect(model.unusedTensors).toEqual(['pooler.dense.weight', 'pooler.dense.bias']);
  });

  it('is found under the prefix of a model with a head', async () => {
    const plain = await open();
    const prefixed = await open({ prefix: 'bert.', config: { architectures: ['BertForMaskedLM'] } });
    expect(prefixed.program.ops).toEqual(plain.program.ops);
    expect(prefixed.program.weights[0]?.name).toBe('bert.embeddings.word_embeddings.weight');
  });

  it('without files of sentence-transformers is a mean, not normalised, over all positions', async () => {
    const { embedding } = await open();
    expect(embedding).toEqual({ maxSequenceLength: 8, width: 64, pooling: 'mean', isNormalized: false });
  });

  it('pools as its settings say', async () => {
    const cls = { pooling_mode_mean_tokens: false, pooling_mode_cls_token: true };
    const settings = { ...SENTENCE, 'modules.json': SENTENCE_MODULES.slice(0, 2), '1_Pooling/config.json': cls };
    expect((await open({ settings })).embedding).toMatchObject({ pooling: 'cls', isNormalized: false });
  });

  it.each<[string, TinyBertOptions, string]>([
    ['relative positions', { config: { position_embedding_type: 'relative_key' } }, 'relative_key positions'],
    ['causal attention', { config: { is_decoder: true } }, 'causal attention'],
    ['an unknown activation', { config: { hidden_act: 'mish' } }, "the activation 'mish'"],
    ['heads that do not divide', { config: { num_attention_heads: 5 } }, 'expected a divisor of 64'],
    ['other sizes than its tensors', { config: { max_position_embeddings: 9 } }, 'expected [9, 64]'],
    [
      'a dense module',
      { settings: { 'modules.json': [{ type: 'sentence_transformers.models.Dense', path: '2_Dense' }] } },
      "the model has a module 'Dense'",
    ],
    [
      'a module outside the folder',
      { settings: { 'modules.json': [{ type: 'x.Pooling', path: '../other' }] } },
      'expected the name of a folder',
    ],
    ['a modules.json that is no list', { settings: { 'modules.json': {} } }, 'is no JSON list'],
    [
      'two ways of pooling',
      { settings: { ...SENTENCE, '1_Pooling/config.json': { ...MEAN, pooling_mode_max_tokens: true } } },
      'pools by pooling_mode_mean_tokens and pooling_mode_max_tokens',
    ],
    [
      'lower case outside the tokenizer',
      { settings: { 'sentence_bert_config.json': { do_lower_case: true } } },
      'do_lower_case is true',
    ],
  ])('with %s is refused', async (_, options, message) => {
    await expect(open(options)).rejects.toThrow(message);
  });

  it('has no taps, and is no decoder', async () => {
    const path = await write();
    await expect(openModel(path, { taps: ['layer.0'] })).rejects.toThrow("got the tap 'layer.0'");
    const model = await openModel(path);
    expect(() => decoderProgram(model)).toThrow('is an encoder, which gives embeddings; expected a decoder');
    expect((await inspectCheckpoint(path)).model?.embedding).toBeDefined();
  });

  it('writes settings that it reads back', () => {
    const config = {
      numLayers: 2,
      hiddenSize: 64,
      intermediateSize: 96,
      numHeads: 4,
      maxPositions: 8,
      layerNormEps: 1e-7,
      activation: 'gelu-tanh',
    } as const;
    const fields = FieldReader.ofObject('config.json', '', bert.toHuggingFace(config));
    expect(bert.fromHuggingFace({ fields, readVector: () => undefined })).toEqual(config);
  });
});
