import { existsSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { UnsupportedError } from '@kvasir/interfaces';
import { huggingFacePrefix, huggingFaceTensorNames } from './architectures/hugging-face-tensor-names.js';
import { findArchitecture } from './architectures/registry.js';
import { FieldReader } from './checkpoint/field-reader.js';
import { readJsonFile, readOptionalJsonFile } from './checkpoint/json-file.js';
import { readSafetensorsCheckpoint } from './checkpoint/safetensors/read-safetensors-checkpoint.js';
import { defined } from './defined.js';
import { describeModel } from './describe-model.js';
import { InvalidCheckpointError } from './errors.js';
import { huggingFaceTokenizerSource } from './hugging-face-tokenizer-source.js';
import type { GenerationDefaults, ModelDescription, OpenModelOptions } from './model-description.js';
import { ProgramBuilder } from './program/program-builder.js';
import { HUGGING_FACE_KEYS, readSamplingDefaults } from './sampling-defaults.js';
import { readSentenceSettings } from './sentence-transformers.js';

/** Opens a safetensors file (all shards of it) beside its `config.json`. */
export function openSafetensors(path: string, options: OpenModelOptions): ModelDescription {
  const folder = dirname(resolve(path));
  const configPath = join(folder, 'config.json');
  if (!existsSync(configPath)) {
    throw new InvalidCheckpointError(path, 'config.json', 'is missing beside it; it says what the tensors mean');
  }
  const fields = FieldReader.ofObject(configPath, '', readJsonFile(configPath));
  const architecture = findArchitecture(configPath, 'huggingFaceNames', architectureName(fields));
  refuseQuantized(fields);
  const checkpoint = readSafetensorsCheckpoint(path);
  const config = architecture.fromHuggingFace({ fields, readVector: () => undefined });
  const prefix = huggingFacePrefix(architecture, (tensor) => checkpoint.tensors.has(tensor));
  const builder = new ProgramBuilder(checkpoint, huggingFaceTensorNames(architecture, prefix));
  // Encoders keep the name of the model that they were trained from.
  const name = (architecture.isEncoder ? undefined : fields.optionalString('_name_or_path')) || basename(folder);
  const sentence = architecture.isEncoder ? readSentenceSettings(folder) : undefined;
  const program = architecture.build(config, builder, {
    name,
    taps: options.taps ?? [],
    ...defined('sentence', sentence),
  });
  const source = huggingFaceTokenizerSource(folder, program.vocabSize);
  const generation = generationDefaults(folder, fields, source.eosTokenId, source.bosTokenId);
  const tokenizer = {
    ...source,
    ...defined('bosTokenId', generation.bosTokenId),
    ...defined('eosTokenId', source.eosTokenId ?? generation.eosTokenIds[0]),
  };
  return describeModel({
    architecture: architecture.name,
    checkpoint,
    program,
    tokenizer,
    generation,
    ...defined('sentence', sentence),
  });
}

function architectureName(fields: FieldReader): string {
  const names = fields.get('architectures');
  const name: unknown = Array.isArray(names) ? names[0] : undefined;
  return typeof name === 'string' ? name : fields.fail('architectures', names, 'a list with the name of a model class');
}

function refuseQuantized(fields: FieldReader): void {
  const method = fields.object('quantization_config')?.optionalString('quant_method');
  if (fields.has('quantization_config')) {
    const problem = `${fields.file}: the model is quantized with '${method ?? 'an unnamed method'}', which is not built yet; use its GGUF file or the original`;
    throw new UnsupportedError(`quantization ${method}`, problem);
  }
}

function generationDefaults(
  folder: string,
  config: FieldReader,
  eosTokenId: number | undefined,
  bosTokenId: number | undefined,
): GenerationDefaults {
  const path = join(folder, 'generation_config.json');
  const fields = FieldReader.ofObject(path, '', readOptionalJsonFile(path) ?? {});
  const text = config.object('text_config') ?? config;
  const ids = [
    ...tokenIds(fields, 'eos_token_id'),
    ...tokenIds(config, 'eos_token_id'),
    ...tokenIds(text, 'eos_token_id'),
  ];
  if (eosTokenId !== undefined) ids.push(eosTokenId);
  return {
    eosTokenIds: [...new Set(ids)],
    ...defined('bosTokenId', bosTokenId ?? tokenIds(fields, 'bos_token_id')[0] ?? tokenIds(text, 'bos_token_id')[0]),
    sampling: readSamplingDefaults(fields, HUGGING_FACE_KEYS),
  };
}

/** One id, a list of ids, or nothing. */
function tokenIds(fields: FieldReader, key: string): number[] {
  const value = fields.get(key);
  if (value === undefined) return [];
  const ids: unknown[] = Array.isArray(value) ? value : [value];
  return ids.every((id) => Number.isInteger(id))
    ? (ids as number[])
    : fields.fail(key, value, 'a token id or a list of them');
}
