import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { CATALOGUE, decoderProgram, inspectCheckpoint, openModel, validateProgram } from '../src/index.js';

function modelPath(variable: string): string | undefined {
  const path = process.env[variable];
  if (path) return path;
  process.stderr.write(`SKIPPED: tests on a real model need ${variable} (path of its GGUF file)\n`);
  return undefined;
}

const smollm2 = modelPath('KVASIR_TEST_SMOLLM2');
const gemma3 = modelPath('KVASIR_TEST_GEMMA3');

async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

describe.skipIf(smollm2 === undefined)('SmolLM2 135M', () => {
  it('opens by its header', async () => {
    const { program: _, tokenizer, chatTemplate, ...model } = await openModel(smollm2 as string);
    const program = decoderProgram(await openModel(smollm2 as string));
    validateProgram(program);
    expect(model).toMatchObject({
      architecture: 'llama',
      parameterCount: 134_515_008,
      maxPositions: 8192,
      sizeBytes: 98_362_432,
      unusedTensors: [],
    });
    expect(model.generation).toEqual({ eosTokenIds: [2], bosTokenId: 1, sampling: {} });
    expect(tokenizer).toMatchObject({
      kind: 'gguf-bpe',
      preTokenizer: 'smollm',
      vocabSize: 49_152,
      addBos: false,
      unknownTokenId: 0,
    });
    expect(
      tokenizer.kind === 'gguf-bpe' && [tokenizer.tokens[2], tokenizer.merges.length, tokenizer.merges[0]],
    ).toEqual(['<|im_end|>', 48_900, 'Ġ t']);
    expect(chatTemplate).toContain('<|im_start|>assistant');
    expect(program).toMatchObject({ vocabSize: 49_152, hiddenSize: 576, kvGroups: [{ kind: 'full' }] });
    expect(program.kvLayers).toEqual(new Array(30).fill({ numKvHeads: 3, headDim: 64 }));
  });

  it('is the file of the catalogue', async () => {
    expect(await sha256(smollm2 as string)).toBe(CATALOGUE[0]?.files[0]?.sha256);
  });

  it('is listed by its types', async () => {
    const { tensorTypes, tensors, metadata, problem } = await inspectCheckpoint(smollm2 as string);
    expect(problem).toBeUndefined();
    expect(tensors).toHaveLength(272);
    expect(tensorTypes.map(({ dtype, count }) => [dtype, count])).toEqual([
      ['q4_1', 210],
      ['q8_0', 1],
      ['f32', 61],
    ]);
    expect(metadata['tokenizer.ggml.merges']).toBe('string[48900] "Ġ t" "Ġ a" "i n" "h e" "Ġ Ġ" "r e"');
  });
});

describe.skipIf(gemma3 === undefined)('Gemma 3 270M', () => {
  it('opens by its header', async () => {
    const { program: _, tokenizer, ...model } = await openModel(gemma3 as string);
    const program = decoderProgram(await openModel(gemma3 as string));
    validateProgram(program);
    expect(model).toMatchObject({
      architecture: 'gemma3',
      parameterCount: 268_098_176,
      maxPositions: 32_768,
      unusedTensors: [],
    });
    expect(model.generation).toEqual({ eosTokenIds: [1], bosTokenId: 2, sampling: {} });
    expect(model).not.toHaveProperty('chatTemplate');
    expect(tokenizer).toMatchObject({ kind: 'gguf-spm', vocabSize: 262_144, addBos: true, addSpacePrefix: false });
    expect(program.kvGroups.map(({ kind, layers, window }) => [kind, layers.length, window])).toEqual([
      ['full', 3, undefined],
      ...new Array(5).fill(['window', 3, 512]),
    ]);
    const attention = program.ops.filter((op) => op.op === 'pagedAttention');
    expect(attention.map(({ window }) => window ?? 0)).toEqual(
      Array.from({ length: 18 }, (_, layer) => (layer % 6 === 5 ? 0 : 512)),
    );
    expect(attention[0]?.scale).toBe(1 / 16);
    expect(
      program.ropeTables.map(({ inverseFrequencies }) => [inverseFrequencies.length, inverseFrequencies[64]]),
    ).toEqual([
      [128, 1e-3],
      [128, 1e-2],
    ]);
    expect(program.ops[0]).toMatchObject({ op: 'embed', scale: Math.fround(Math.sqrt(640)) });
  });

  it('is the file of the catalogue', async () => {
    expect(await sha256(gemma3 as string)).toBe(CATALOGUE[1]?.files[0]?.sha256);
  });
});
