import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { UnsupportedError } from '@kvasir/interfaces';
import { describe, expect, it } from 'vitest';
import { decoderProgram, InvalidCheckpointError, openModel, validateProgram } from '../src/index.js';
import { temporaryFolder } from './support/temporary-folder.js';
import { writeHuggingFaceFolder, writeTinyLlama } from './support/tiny-models.js';

const folder = temporaryFolder();

async function tiny(name: string, options: Parameters<typeof writeHuggingFaceFolder>[2] = {}): Promise<string> {
  await writeHuggingFaceFolder(join(folder, name), 'llama', options);
  return join(folder, name);
}

describe('a Hugging Face folder', () => {
  it('makes the same program as its GGUF file, without a row order', async () => {
    await writeTinyLlama(join(folder, 'twin.gguf'));
    const gguf = decoderProgram(await openModel(join(folder, 'twin.gguf')));
    const model = await openModel(await tiny('twin'));
    const { format, tokenizer } = model;
    const program = decoderProgram(model);
    validateProgram(program);
    expect(format).toBe('safetensors');
    expect(program.ops).toEqual(gguf.ops);
    expect(program.values).toEqual(gguf.values);
    expect(program.ropeTables).toEqual(gguf.ropeTables);
    expect(program.weights.map(({ shape }) => shape)).toEqual(gguf.weights.map(({ shape }) => shape));
    expect(program.weights.every(({ rowOrder }) => rowOrder === undefined)).toBe(true);
    expect(tokenizer).toMatchObject({
      kind: 'huggingface',
      vocabSize: 24,
      tokenizerJsonPath: join(folder, 'twin', 'tokenizer.json'),
    });
  });

  it('may be sharded, and be named by any of its shards', async () => {
    const path = await tiny('sharded', { shards: 3 });
    const { program, files } = await openModel(path);
    validateProgram(program);
    expect(files).toHaveLength(3);
    expect((await openModel(join(path, 'model-00002-of-00003.safetensors'))).files).toHaveLength(3);
  });

  it.each([{ top_p: 0 }, { repetition_penalty: -1 }, { max_new_tokens: 0 }, { temperature: 'hot' }])(
    'refuses %o of generation_config.json, naming it',
    async (settings) => {
      const path = await tiny('wrong-settings');
      writeFileSync(join(path, 'generation_config.json'), JSON.stringify(settings));
      await expect(openModel(path)).rejects.toThrow(Object.keys(settings)[0]!);
    },
  );

  it('says how it ends and how its makers sample', async () => {
    const path = await tiny('settings');
    writeFileSync(
      join(path, 'generation_config.json'),
      JSON.stringify({
        eos_token_id: [7, 8],
        bos_token_id: 1,
        do_sample: true,
        temperature: 0.6,
        top_p: 0.9,
        top_k: 20,
        min_p: 0.05,
        typical_p: null,
        repetition_penalty: 1.1,
        max_new_tokens: 512,
      }),
    );
    const tokens = { 3: { content: '<s>' }, 7: { content: '</s>' } };
    writeFileSync(
      join(path, 'tokenizer_config.json'),
      JSON.stringify({
        bos_token: '<s>',
        eos_token: { content: '</s>' },
        added_tokens_decoder: tokens,
        add_bos_token: true,
        chat_template: [
          { name: 'default', template: 'A' },
          { name: 'tool_use', template: 'B' },
        ],
      }),
    );
    const { generation, tokenizer, chatTemplate } = await openModel(path);
    expect(generation).toEqual({
      eosTokenIds: [7, 8, 0],
      bosTokenId: 3,
      sampling: { temperature: 0.6, topP: 0.9, topK: 20, minP: 0.05, repetitionPenalty: 1.1, maxTokens: 512 },
    });
    expect(tokenizer).toMatchObject({
      bosTokenId: 3,
      eosTokenId: 7,
      addBos: true,
      addEos: false,
      namedChatTemplates: { tool_use: 'B' },
    });
    expect(chatTemplate).toBe('A');
    writeFileSync(join(path, 'chat_template.jinja'), 'C');
    expect((await openModel(path)).chatTemplate).toBe('C');
  });

  it('reads the rope scaling of Llama 3.1 as its formula says', async () => {
    const scaling = {
      rope_type: 'llama3',
      factor: 8,
      low_freq_factor: 1,
      high_freq_factor: 4,
      original_max_position_embeddings: 64,
    };
    const path = await tiny('llama3', { config: { rope_theta: 100, rope_scaling: scaling } });
    const { inverseFrequencies } = decoderProgram(await openModel(path)).ropeTables[0] ?? { inverseFrequencies: [] };
    const plain = Array.from({ length: 8 }, (_, i) => 100 ** (-i / 8));
    // Wavelengths below 64/4 are kept, above 64/1 divided by 8, between them mixed.
    const wavelength = plain.map((frequency) => (2 * Math.PI) / frequency);
    inverseFrequencies.forEach((frequency, i) => {
      const own = plain[i] as number;
      const length = wavelength[i] as number;
      const smooth = (64 / length - 1) / 3;
      const expected = length < 16 ? own : length > 64 ? own / 8 : (1 - smooth) * (own / 8) + smooth * own;
      expect(frequency).toBeCloseTo(expected, 12);
    });
    expect(new Set(wavelength.map((length) => (length < 16 ? 'kept' : length > 64 ? 'divided' : 'mixed'))).size).toBe(
      3,
    );
  });

  it('reads the rope parameters of transformers 5', async () => {
    const path = await tiny('v5', { config: { rope_parameters: { rope_type: 'linear', factor: 2, rope_theta: 100 } } });
    expect(decoderProgram(await openModel(path)).ropeTables[0]?.inverseFrequencies.slice(0, 2)).toEqual([
      0.5,
      100 ** (-1 / 8) / 2,
    ]);
  });

  it('takes a Mistral window from its config', async () => {
    const path = await tiny('mistral', { config: { architectures: ['MistralForCausalLM'], sliding_window: 16 } });
    expect(decoderProgram(await openModel(path)).kvGroups).toEqual([{ kind: 'window', layers: [0, 1], window: 16 }]);
  });
});

describe('folders that cannot be opened', () => {
  it.each<[string, (path: string) => void, string, boolean]>([
    ['no config', (path) => rmSync(join(path, 'config.json')), 'config.json: is missing beside it', true],
    ['no tokenizer', (path) => rmSync(join(path, 'tokenizer.json')), 'tokenizer.json: is missing', true],
    [
      'config that is not JSON',
      (path) => writeFileSync(join(path, 'config.json'), '{'),
      'config.json: file: is not valid JSON',
      true,
    ],
    [
      'config without architectures',
      (path) => writeFileSync(join(path, 'config.json'), '{}'),
      'architectures: got nothing, expected a list',
      true,
    ],
    [
      'unknown class',
      (path) => writeFileSync(join(path, 'config.json'), '{"architectures":["FalconForCausalLM"]}'),
      "architecture is 'FalconForCausalLM', expected one of: LlamaForCausalLM",
      false,
    ],
    [
      'quantized',
      (path) =>
        writeFileSync(
          join(path, 'config.json'),
          '{"architectures":["LlamaForCausalLM"],"quantization_config":{"quant_method":"gptq"}}',
        ),
      "quantized with 'gptq', which is not built yet",
      false,
    ],
    [
      'index that leaves the folder',
      (path) => writeFileSync(join(path, 'model.safetensors.index.json'), '{"weight_map":{"a":"../x.safetensors"}}'),
      'weight_map.a: got "../x.safetensors", expected the name of a .safetensors file beside it',
      true,
    ],
    [
      'index that names another tensor',
      (path) => writeFileSync(join(path, 'model.safetensors.index.json'), '{"weight_map":{"a":"model.safetensors"}}'),
      'weight_map.a: names model.safetensors, which does not hold that tensor',
      true,
    ],
    [
      'two models',
      (path) => {
        rmSync(join(path, 'model.safetensors'));
        writeFileSync(join(path, 'a.safetensors'), '');
        writeFileSync(join(path, 'b.safetensors'), '');
      },
      'holds 2 models (a.safetensors, b.safetensors); name one file',
      true,
    ],
    ['nothing', (path) => rmSync(join(path, 'model.safetensors')), 'holds no *.safetensors and no *.gguf file', true],
    [
      'pickle',
      (path) => {
        rmSync(join(path, 'model.safetensors'));
        writeFileSync(join(path, 'pytorch_model.bin'), '');
      },
      'pytorch_model.bin is a pickle file, which can run code',
      false,
    ],
    [
      'activation',
      (path) => writeFileSync(join(path, 'config.json'), '{"architectures":["LlamaForCausalLM"],"hidden_act":"relu"}'),
      "asks for the activation 'relu'",
      false,
    ],
  ])('%s', async (name, damage, message, isInvalid) => {
    const path = await tiny(`bad ${name}`);
    damage(path);
    const error = await openModel(path).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(isInvalid ? InvalidCheckpointError : UnsupportedError);
    expect((error as Error).message).toContain(message);
  });

  it('a path that is not there', async () => {
    await expect(openModel(join(folder, 'absent'))).rejects.toThrow('does not exist; expected a .gguf file');
  });

  it('a folder in which a GGUF is the only model is that model', async () => {
    const path = await tiny('gguf-only');
    rmSync(join(path, 'model.safetensors'));
    await writeTinyLlama(join(path, 'model.gguf'));
    expect((await openModel(path)).format).toBe('gguf');
  });
});
