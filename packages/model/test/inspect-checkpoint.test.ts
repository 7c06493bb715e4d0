import { join } from 'node:path';
import { BLOCK_ENCODINGS } from '@kvasir/quant';
import { expect, it } from 'vitest';
import { inspectCheckpoint, writeGguf } from '../src/index.js';
import { temporaryFolder } from './support/temporary-folder.js';
import { llamaMetadata, llamaShapes, tinyTensors, writeHuggingFaceFolder } from './support/tiny-models.js';

const folder = temporaryFolder();

it('lists a GGUF file that can be run', async () => {
  const path = join(folder, 'tiny.gguf');
  await writeGguf(path, { metadata: llamaMetadata(), tensors: tinyTensors(llamaShapes(), BLOCK_ENCODINGS.q8_0) });
  const { tensorTypes, metadata, model, ...summary } = await inspectCheckpoint(path);
  expect(summary).toMatchObject({ path, format: 'gguf', architecture: 'llama', parameterCount: 63_296 });
  expect(tensorTypes.map(({ dtype, count }) => [dtype, count])).toEqual([
    ['q8_0', 15],
    ['f32', 5],
  ]);
  expect(metadata).toMatchObject({ 'llama.block_count': '2', 'tokenizer.ggml.merges': 'string[2] "a b" "c d"' });
  expect(model?.name).toBe('Tiny llama');
  expect(summary).not.toHaveProperty('problem');
});

it('lists one that cannot, and says why', async () => {
  const path = join(folder, 'other.gguf');
  await writeGguf(path, { metadata: { 'general.architecture': 'mamba', note: 'x'.repeat(500) }, tensors: [] });
  const { architecture, problem, metadata, model } = await inspectCheckpoint(path);
  expect([architecture, model]).toEqual(['mamba', undefined]);
  expect(problem).toContain("the model's architecture is 'mamba'");
  expect(metadata['note']).toBe(`${'x'.repeat(200)}... (500 characters)`);
});

it('lists a Hugging Face folder', async () => {
  await writeHuggingFaceFolder(join(folder, 'hf'), 'llama', { shards: 2 });
  const { format, architecture, files, metadata } = await inspectCheckpoint(join(folder, 'hf'));
  expect([format, architecture, files.length, metadata['hidden_size']]).toEqual([
    'safetensors',
    'LlamaForCausalLM',
    2,
    '64',
  ]);
});
