import type { ModelDescription } from '@kvasir/model';
import { byteTokenizerSource, createFakeProgram } from '@kvasir/testing';

const CHAT_TEMPLATE = "{% for message in messages %}{{ message['content'] }}!{% endfor %}";

/** A model of the fake backend that has a real tokenizer: one token a byte. */
export function tinyModel(overrides: Partial<ModelDescription> = {}): ModelDescription {
  return {
    name: 'tiny',
    architecture: 'fake',
    format: 'gguf',
    program: createFakeProgram({ vocabSize: 257, maxPositions: 256 }),
    tokenizer: byteTokenizerSource(),
    chatTemplate: CHAT_TEMPLATE,
    generation: { eosTokenIds: [256], sampling: {} },
    maxPositions: 256,
    parameterCount: 0,
    weightBytes: 0,
    sizeBytes: 0,
    files: [],
    unusedTensors: [],
    ...overrides,
  };
}
