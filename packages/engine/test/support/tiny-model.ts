import type { GgufBpeTokenizerSource } from '@kvasir/interfaces';
import type { ModelDescription } from '@kvasir/model';
import { createFakeProgram } from '@kvasir/testing';

const CHAT_TEMPLATE = "{% for message in messages %}{{ message['content'] }}!{% endfor %}";

/** The 256 bytes in the alphabet of byte-level BPE, then EOS. */
function tokenizerSource(): GgufBpeTokenizerSource {
  const isPrintable = (byte: number) => (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte !== 0xad);
  let shifted = 256;
  const tokens = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(isPrintable(byte) ? byte : shifted++));
  return {
    kind: 'gguf-bpe',
    preTokenizer: 'smollm',
    vocabSize: 257,
    tokens: [...tokens, '<eos>'],
    tokenTypes: new Int32Array(257).fill(1).fill(3, 256),
    merges: [],
    eosTokenId: 256,
    addBos: false,
    addEos: false,
  };
}

/** A model of the fake backend that has a real tokenizer: one token a byte. */
export function tinyModel(overrides: Partial<ModelDescription> = {}): ModelDescription {
  return {
    name: 'tiny',
    architecture: 'fake',
    format: 'gguf',
    program: createFakeProgram({ vocabSize: 257, maxPositions: 256 }),
    tokenizer: tokenizerSource(),
    chatTemplate: CHAT_TEMPLATE,
    generation: { eosTokenIds: [256] },
    maxPositions: 256,
    parameterCount: 0,
    weightBytes: 0,
    sizeBytes: 0,
    files: [],
    unusedTensors: [],
    ...overrides,
  };
}
