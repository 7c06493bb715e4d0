import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { convertToSafetensors, writeSafetensors } from '@kvasir/model';
import { beforeAll, describe, expect, test } from 'vitest';
import { realModelPath } from './support/real-model.js';
import { runInProcess } from './support/run-in-process.js';
import { temporaryFolder } from './support/temporary-folder.js';
import { tinyTensors, writeTinyModel } from './support/tiny-checkpoint.js';

const folder = temporaryFolder();
const gguf = join(folder, 'tiny.gguf');
const hub = join(folder, 'hub');

beforeAll(async () => {
  await writeTinyModel(gguf);
  await convertToSafetensors(gguf, hub);
});

async function inspect(...argv: string[]): Promise<string> {
  const { code, stdout, stderr } = await runInProcess(['inspect', ...argv]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout;
}

interface Summary {
  readonly format: string;
  readonly architecture: string;
  readonly parameterCount: number;
  readonly maxPositions?: number;
  readonly tokenizer?: string;
  readonly problem?: string;
  readonly tensorTypes: readonly object[];
  readonly tensors?: readonly { readonly name: string; readonly shape: readonly number[] }[];
}

const inspectJson = async (...argv: string[]) => JSON.parse(await inspect(...argv, '--json')) as Summary;

describe('a GGUF file', () => {
  test('is shown for people', async () => {
    const text = await inspect(gguf);
    for (const line of [
      `path           ${gguf}`,
      'format         gguf',
      'architecture   llama',
      'context        512 tokens',
      'tokenizer      gguf-bpe, 24 tokens, no chat template',
      '  llama.embedding_length = 64',
    ]) {
      expect(text.split('\n')).toContain(line);
    }
    expect(text).toMatch(/^f32 +11 +32448 +126\.8 KiB$/m);
    expect(text).not.toContain('blk.0.attn_q.weight');
    expect(text).not.toContain('cannot be run');
  });

  test('is shown with every tensor when asked', async () => {
    expect(await inspect(gguf, '--tensors')).toMatch(/^ {2}f32 +\[32, 64\] +blk\.0\.attn_k\.weight$/m);
  });

  test('is JSON when asked', async () => {
    const summary = await inspectJson(gguf);
    expect(summary).toMatchObject({
      format: 'gguf',
      architecture: 'llama',
      parameterCount: 32_448,
      maxPositions: 512,
      tokenizer: 'gguf-bpe, 24 tokens, no chat template',
      tensorTypes: [{ dtype: 'f32', count: 11, elements: 32_448, bytes: 129_792 }],
    });
    expect(summary.tensors).toBeUndefined();
    const { tensors } = await inspectJson(gguf, '--tensors');
    expect(tensors).toHaveLength(11);
    expect(tensors).toContainEqual(expect.objectContaining({ name: 'blk.0.attn_k.weight', shape: [32, 64] }));
  });
});

describe('a safetensors folder', () => {
  test('is listed, and what is missing is said', async () => {
    const summary = await inspectJson(hub, '--tensors');
    expect(summary).toMatchObject({ format: 'safetensors', architecture: 'LlamaForCausalLM', parameterCount: 32_448 });
    expect(summary.problem).toBe(
      `${hub}: tokenizer.json: is missing; a folder needs config.json, tokenizer.json and *.safetensors`,
    );
    expect(summary.tensors?.map(({ name }) => name)).toContain('model.layers.0.self_attn.q_proj.weight');
  });

  test('is the same whether the folder or its file is named', async () => {
    const file = await inspectJson(join(hub, 'model.safetensors'));
    expect(file).toEqual(await inspectJson(hub));
  });

  test('in parts is one model', async () => {
    const parts = join(folder, 'parts');
    await convertToSafetensors(gguf, parts);
    const names = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'] as const;
    const tensors = tinyTensors();
    await writeSafetensors(join(parts, names[0]), tensors.slice(0, 5));
    await writeSafetensors(join(parts, names[1]), tensors.slice(5));
    const weightMap = Object.fromEntries(tensors.map(({ name }, index) => [name, names[index < 5 ? 0 : 1]]));
    writeFileSync(join(parts, 'model.safetensors.index.json'), JSON.stringify({ weight_map: weightMap }));
    expect(await inspectJson(parts)).toMatchObject({ parameterCount: 32_448, format: 'safetensors' });
  });
});

test('a real model: types, sizes and tokenizer', async () => {
  const text = await inspect(realModelPath('smollm2'));
  expect(text).toMatch(/^parameters +134\.5 M$/m);
  expect(text).toMatch(/^size +93\.8 MiB$/m);
  expect(text).toMatch(/^tokenizer +gguf-bpe, 49152 tokens, with a chat template$/m);
  expect(text).toMatch(/^q4_1 +210 +106168320 +63\.3 MiB$/m);
});

test('the name of a file does not decide what it is', async () => {
  const renamed = join(folder, 'blob');
  copyFileSync(gguf, renamed);
  expect(await inspectJson(renamed)).toMatchObject({ format: 'gguf', parameterCount: 32_448 });
});
