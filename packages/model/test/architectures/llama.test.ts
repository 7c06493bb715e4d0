import { join } from 'node:path';
import { type Op, UnsupportedError } from '@kvasir/interfaces';
import { BLOCK_ENCODINGS, DENSE_ENCODINGS } from '@kvasir/quant';
import { describe, expect, it } from 'vitest';
import {
  decoderProgram,
  type GgufWriteValue,
  InvalidCheckpointError,
  openModel,
  type TensorData,
  validateProgram,
  writeGguf,
} from '../../src/index.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { llamaMetadata, llamaShapes, TINY, tinyTensors, writeTinyLlama } from '../support/tiny-models.js';

const folder = temporaryFolder();
let number = 0;

async function open(
  extra: Record<string, GgufWriteValue> = {},
  tensors: TensorData[] = tinyTensors(llamaShapes()),
  taps: string[] = [],
) {
  const path = join(folder, `${number++}.gguf`);
  await writeGguf(path, { metadata: llamaMetadata(extra), tensors });
  return openModel(path, { taps });
}

const ofKind = <Kind extends Op['op']>(ops: readonly Op[], kind: Kind) =>
  ops.filter((op) => op.op === kind) as Extract<Op, { op: Kind }>[];

describe('a tiny Llama', () => {
  it('becomes a program of 16 ops a layer and 4 around them', async () => {
    const { program, ...model } = await open();
    validateProgram(program);
    expect(program.ops.map(({ op }) => op)).toEqual([
      'embed',
      ...Array.from({ length: TINY.layers }, () => [
        ...['rmsNorm', 'linear', 'linear', 'linear', 'rope', 'rope', 'kvWrite', 'pagedAttention', 'linear', 'add'],
        ...['rmsNorm', 'linear', 'linear', 'gatedActivation', 'linear', 'add'],
      ]).flat(),
      ...['gatherOutputs', 'rmsNorm', 'linear'],
    ]);
    expect(program).toMatchObject({
      vocabSize: 24,
      hiddenSize: 64,
      maxPositions: 128,
      kvGroups: [{ kind: 'full', layers: [0, 1] }],
    });
    expect(model).toMatchObject({
      name: 'Tiny llama',
      architecture: 'llama',
      format: 'gguf',
      unusedTensors: [],
      maxPositions: 128,
    });
    expect(ofKind(program.ops, 'pagedAttention')[0]).toMatchObject({ numHeads: 4, scale: 0.25 });
    expect(ofKind(program.ops, 'embed')[0]?.scale).toBe(1);
  });

  it('names the stored order of query and key rows, and of nothing else', async () => {
    const program = decoderProgram(await open());
    const ordered = program.weights.filter((weight) => weight.rowOrder !== undefined);
    expect(ordered.map(({ name, rowOrder }) => [name, rowOrder])).toEqual(
      [0, 1].flatMap((layer) => [
        [`blk.${layer}.attn_q.weight`, { kind: 'interleaved-rope', numHeads: 4, headDim: 16 }],
        [`blk.${layer}.attn_k.weight`, { kind: 'interleaved-rope', numHeads: 2, headDim: 16 }],
      ]),
    );
  });

  it('ties the head to the embedding when there is no output tensor, and uses that tensor when there is', async () => {
    const tied = (await open()).program;
    expect(ofKind(tied.ops, 'linear').at(-1)?.weight).toBe(ofKind(tied.ops, 'embed')[0]?.weight);
    const { program, parameterCount } = await open(
      {},
      tinyTensors({ ...llamaShapes(), 'output.weight': [TINY.vocab, TINY.hidden] }),
    );
    expect(program.weights[ofKind(program.ops, 'linear').at(-1)?.weight ?? -1]?.name).toBe('output.weight');
    expect(parameterCount).toBe(program.weights.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b), 0));
  });

  it('adds biases where the checkpoint has them, query and key biases in the order of their rows', async () => {
    const { program } = await open(
      {},
      tinyTensors({ ...llamaShapes(), 'blk.0.attn_q.bias': [64], 'blk.1.ffn_down.bias': [64] }),
    );
    validateProgram(program);
    const biases = ofKind(program.ops, 'linear').flatMap(({ bias }) =>
      bias === undefined ? [] : [program.weights[bias]],
    );
    expect(biases.map((weight) => [weight?.name, weight?.rowOrder?.kind, weight?.shard])).toEqual([
      ['blk.0.attn_q.bias', 'interleaved-rope', 'row'],
      ['blk.1.ffn_down.bias', undefined, 'replicated'],
    ]);
  });

  it('carries block encodings through to the weights', async () => {
    const program = decoderProgram(await open({}, tinyTensors(llamaShapes(), BLOCK_ENCODINGS.q4_0)));
    expect(program.weights.find(({ name }) => name === 'blk.0.attn_q.weight')?.encoding).toBe(BLOCK_ENCODINGS.q4_0);
    expect(program.weights.find(({ name }) => name === 'output_norm.weight')?.encoding).toBe(DENSE_ENCODINGS.f32);
  });

  it('declares the taps that are asked for, and refuses others', async () => {
    const program = decoderProgram(await open({}, undefined, ['layer.1', 'layer.0']));
    validateProgram(program);
    expect(program.taps.map(({ name, value }) => [name, program.values[value]?.name])).toEqual([
      ['layer.1', 'blk.1.residual'],
      ['layer.0', 'blk.0.residual'],
    ]);
    await expect(open({}, undefined, ['layer.9'])).rejects.toThrow(
      "got the tap 'layer.9', expected one of: layer.0, layer.1",
    );
  });
});

describe('rope', () => {
  const frequencies = async (extra: Record<string, GgufWriteValue>, tensors?: TensorData[]) =>
    decoderProgram(await open(extra, tensors)).ropeTables[0]?.inverseFrequencies ?? [];

  it('uses the base of the header', async () => {
    expect(await frequencies({ 'llama.rope.freq_base': { type: 'f32', value: 10_000 } })).toEqual(
      Array.from({ length: 8 }, (_, i) => 10_000 ** (-i / 8)),
    );
  });

  it('divides by a linear factor', async () => {
    const scaled = await frequencies({
      'llama.rope.scaling.type': 'linear',
      'llama.rope.scaling.factor': { type: 'f32', value: 4 },
    });
    expect(scaled[0]).toBe(0.25);
  });

  it('divides by the tensor of a Llama 3.1 file', async () => {
    const tensors = tinyTensors({ ...llamaShapes(), 'rope_freqs.weight': [8] });
    const last = tensors.at(-1) as TensorData;
    const divisors = Float32Array.of(1, 1, 1, 2, 4, 8, 8, 8);
    tensors[tensors.length - 1] = { ...last, data: new Uint8Array(divisors.buffer) };
    const scaled = await frequencies({}, tensors);
    expect(scaled).toEqual(Array.from(divisors, (divisor, i) => 10_000 ** (-i / 8) / divisor));
  });

  it('refuses scalings that are not built', async () => {
    await expect(open({ 'llama.rope.scaling.type': 'yarn' })).rejects.toThrow(
      "llama.rope.scaling.type is 'yarn', expected 'linear' or 'llama3'",
    );
  });
});

describe('a Mistral with a window', () => {
  it('attends through the window and keeps one window group', async () => {
    const program = decoderProgram(await open({ 'llama.attention.sliding_window': 32 }));
    validateProgram(program);
    expect(program.kvGroups).toEqual([{ kind: 'window', layers: [0, 1], window: 32 }]);
    expect(ofKind(program.ops, 'pagedAttention').map(({ window }) => window)).toEqual([32, 32]);
  });
});

describe('settings and tensors that do not fit', () => {
  const without = (name: string) => tinyTensors(llamaShapes()).filter((tensor) => tensor.name !== name);

  it.each<[string, Record<string, GgufWriteValue>, string]>([
    ['no layers', { 'llama.block_count': 0 }, 'llama.block_count: got 0, expected an integer from 1 to 4096'],
    [
      'a million layers',
      { 'llama.block_count': 1_000_000 },
      'llama.block_count: got 1000000, expected an integer from 1 to 4096',
    ],
    ['a third layer without tensors', { 'llama.block_count': 3 }, 'tensor blk.2.attn_norm.weight: is missing'],
    [
      'text for a number',
      { 'llama.embedding_length': '64' },
      "llama.embedding_length: got '64', expected an integer from 1",
    ],
    [
      'another width',
      { 'llama.embedding_length': 128 },
      'tensor token_embd.weight: got shape [24, 64], expected [24, 128]',
    ],
    [
      'another head count',
      { 'llama.attention.head_count': 8 },
      'tensor blk.0.attn_q.weight: got shape [64, 64], expected [128, 64]',
    ],
    [
      'heads that do not share evenly',
      { 'llama.attention.head_count_kv': 3 },
      'llama.attention.head_count_kv: got 3, expected a divisor of the 4 query heads',
    ],
    [
      'an odd head',
      { 'llama.attention.key_length': 15, 'llama.attention.value_length': 15 },
      'llama.head_dim: got 15, expected an even number',
    ],
    [
      'a negative epsilon',
      { 'llama.attention.layer_norm_rms_epsilon': { type: 'f32', value: -1 } },
      'llama.attention.layer_norm_rms_epsilon: got -1',
    ],
    [
      'a vocabulary larger than the embedding',
      {
        'tokenizer.ggml.tokens': { elementType: 'string', values: Array.from({ length: 25 }, (_, i) => `t${i}`) },
        'tokenizer.ggml.token_type': { elementType: 'i32', values: new Int32Array(25) },
      },
      'vocabulary: has 25 tokens, but the embedding has only 24 rows',
    ],
    [
      'fewer token types than tokens',
      { 'tokenizer.ggml.token_type': { elementType: 'i32', values: new Int32Array(5) } },
      'tokenizer.ggml.token_type: got 5, expected 24 elements',
    ],
    [
      'an end token outside the vocabulary',
      { 'tokenizer.ggml.eos_token_id': 24 },
      'tokenizer.ggml.eos_token_id: got 24, expected an integer from 0 to 23',
    ],
  ])('%s', async (_, extra, message) => {
    const error = await open(extra).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(InvalidCheckpointError);
    expect((error as Error).message).toContain(message);
  });

  it.each(['token_embd.weight', 'output_norm.weight', 'blk.1.ffn_up.weight'])('a missing %s', async (name) => {
    await expect(open({}, without(name))).rejects.toThrow(`tensor ${name}: is missing`);
  });

  it.each<[string, Record<string, GgufWriteValue>, string]>([
    ['experts', { 'llama.expert_count': 8 }, 'mixture-of-experts layers'],
    ['a partial rope', { 'llama.rope.dimension_count': 8 }, 'rope on a part of a head'],
    ['keys and values of different width', { 'llama.attention.value_length': 32 }, 'keys of 16 and values of 32'],
    [
      'another architecture',
      { 'general.architecture': 'mamba' },
      "the model's architecture is 'mamba', expected one of: llama, gemma3",
    ],
    [
      'another kind of vocabulary',
      { 'tokenizer.ggml.model': 'bert' },
      "tokenizer.ggml.model is 'bert', expected 'gpt2' or 'llama'",
    ],
  ])('%s are refused as not built', async (_, extra, message) => {
    const error = await open(extra).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(UnsupportedError);
    expect((error as Error).message).toContain(message);
  });
});

describe('defaults of sampling', () => {
  it('are those of general.sampling', async () => {
    const { generation } = await open({
      'general.sampling.temp': 0.5,
      'general.sampling.top_k': 40,
      'general.sampling.top_p': 0.75,
      'general.sampling.min_p': 0.25,
      'general.sampling.penalty_repeat': 1.5,
    });
    expect(generation.sampling).toEqual({ temperature: 0.5, topK: 40, topP: 0.75, minP: 0.25, repetitionPenalty: 1.5 });
  });
});

describe('ends of generation', () => {
  it('are the end of the text and the end of a turn that the template writes', async () => {
    const { generation, chatTemplate } = await open();
    expect(generation).toEqual({ eosTokenIds: [0, 2], bosTokenId: 1, sampling: {} });
    expect(chatTemplate).toContain('<|im_end|>');
  });

  it('include eot and eom, and nothing twice', async () => {
    const { generation } = await open({
      'tokenizer.ggml.eot_token_id': 5,
      'tokenizer.ggml.eom_token_id': 0,
      'tokenizer.chat_template': 'plain',
    });
    expect(generation.eosTokenIds).toEqual([0, 5]);
  });
});

it('a file without an ending is opened by its magic number', async () => {
  const path = join(folder, 'blob');
  await writeTinyLlama(path);
  expect((await openModel(path)).name).toBe('Tiny llama');
});
