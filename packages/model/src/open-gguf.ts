import { basename } from 'node:path';
import type { TokenizerSource } from '@kvasir/interfaces';
import { findArchitecture } from './architectures/registry.js';
import { FieldReader } from './checkpoint/field-reader.js';
import { ggufTokenizerSource } from './checkpoint/gguf/gguf-tokenizer.js';
import type { GgufCheckpoint } from './checkpoint/gguf/read-gguf.js';
import { readGgufCheckpoint } from './checkpoint/gguf/read-gguf-checkpoint.js';
import { readGgufVector } from './checkpoint/gguf/read-vector.js';
import { defined } from './defined.js';
import { describeModel } from './describe-model.js';
import type { GenerationDefaults, ModelDescription, OpenModelOptions } from './model-description.js';
import { ProgramBuilder } from './program/program-builder.js';
import { GGUF_KEYS, readSamplingDefaults } from './sampling-defaults.js';

const CONTROL = 3;
const USER_DEFINED = 4;
/** Ends of a turn, by text: headers of chat models often name only the end of the document. */
const TURN_ENDS = ['<|im_end|>', '<|eot_id|>', '<|eom_id|>', '<end_of_turn>', '<|end|>', '<|endoftext|>', '</s>'];

/** Opens a GGUF file or split. */
export function openGguf(path: string, options: OpenModelOptions): ModelDescription {
  const checkpoint = readGgufCheckpoint(path);
  const general = FieldReader.ofMap(checkpoint.path, 'general.', checkpoint.metadata);
  const family = general.string('architecture');
  const architecture = findArchitecture(checkpoint.path, 'ggufNames', family);
  const name = general.optionalString('name') ?? basename(checkpoint.path, '.gguf');
  const fields = FieldReader.ofMap(checkpoint.path, `${family}.`, checkpoint.metadata);
  const config = architecture.fromGguf({ fields, readVector: (tensor) => readGgufVector(checkpoint, tensor) });
  const program = architecture.build(config, new ProgramBuilder(checkpoint), { name, taps: options.taps ?? [] });
  const tokenizer = ggufTokenizerSource(checkpoint.path, checkpoint.metadata);
  const generation = generationDefaults(checkpoint, tokenizer);
  return describeModel({ architecture: architecture.name, checkpoint, program, tokenizer, generation });
}

function generationDefaults({ path, metadata }: GgufCheckpoint, tokenizer: TokenizerSource): GenerationDefaults {
  const fields = FieldReader.ofMap(path, 'tokenizer.ggml.', metadata);
  const named = ['eos_token_id', 'eot_token_id', 'eom_token_id'].flatMap((key) => {
    const id =
      fields.get(key) === 0xffffffff ? undefined : fields.optionalInteger(key, { max: tokenizer.vocabSize - 1 });
    return id === undefined ? [] : [id];
  });
  return {
    eosTokenIds: [...new Set([...named, ...turnEnds(tokenizer)])],
    ...defined('bosTokenId', tokenizer.bosTokenId),
    sampling: readSamplingDefaults(FieldReader.ofMap(path, 'general.sampling.', metadata), GGUF_KEYS),
  };
}

/** Special tokens that the chat template itself writes at the end of a turn. */
function turnEnds(tokenizer: TokenizerSource): number[] {
  if (tokenizer.kind === 'huggingface' || tokenizer.chatTemplate === undefined) return [];
  const { chatTemplate, tokens, tokenTypes } = tokenizer;
  return TURN_ENDS.filter((text) => chatTemplate.includes(text)).flatMap((text) => {
    const id = tokens.indexOf(text);
    return tokenTypes[id] === CONTROL || tokenTypes[id] === USER_DEFINED ? [id] : [];
  });
}
