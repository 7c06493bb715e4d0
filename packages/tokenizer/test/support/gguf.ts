import { closeSync, openSync, readSync } from 'node:fs';
import type { GgufBpeTokenizerSource, GgufSpmTokenizerSource } from '@kvasir/interfaces';

const MAX_HEADER_BYTES = 32 << 20;

/** Key-value pairs of a GGUF header, just enough of the format for these tests. */
function readGgufMetadata(path: string): Map<string, unknown> {
  const bytes = Buffer.alloc(MAX_HEADER_BYTES);
  const file = openSync(path, 'r');
  readSync(file, bytes, 0, bytes.length, 0);
  closeSync(file);
  let at = 16;
  const take = (length: number) => {
    at += length;
    return at - length;
  };
  const size = () => Number(bytes.readBigUInt64LE(take(8)));
  const text = () => {
    const length = size();
    at += length;
    return bytes.toString('utf8', at - length, at);
  };
  const value = (type: number): unknown => {
    switch (type) {
      case 0:
      case 7:
        return bytes[take(1)]!;
      case 4:
        return bytes.readUInt32LE(take(4));
      case 5:
        return bytes.readInt32LE(take(4));
      case 6:
        return bytes.readFloatLE(take(4));
      case 8:
        return text();
      case 9: {
        const element = bytes.readUInt32LE(take(4));
        return Array.from({ length: size() }, () => value(element));
      }
      case 10:
      case 11:
        return size();
      default:
        throw new Error(`GGUF value type ${type} at byte ${at}`);
    }
  };
  const pairs = new Map<string, unknown>();
  for (let left = size(); left > 0; left--) {
    const key = text();
    pairs.set(key, value(bytes.readUInt32LE(take(4))));
  }
  return pairs;
}

/** The tokenizer that a GGUF file carries. */
export function readGgufTokenizer(path: string): GgufBpeTokenizerSource | GgufSpmTokenizerSource {
  const metadata = readGgufMetadata(path);
  const get = <T>(key: string) => metadata.get(`tokenizer.${key}`) as T;
  const tokens = get<string[]>('ggml.tokens');
  const common = {
    tokens,
    tokenTypes: Int32Array.from(get<number[]>('ggml.token_type')),
    vocabSize: tokens.length,
    bosTokenId: get<number>('ggml.bos_token_id'),
    eosTokenId: get<number>('ggml.eos_token_id'),
    unknownTokenId: get<number>('ggml.unknown_token_id'),
    addBos: get<number>('ggml.add_bos_token') === 1,
    addEos: false,
    chatTemplate: get<string>('chat_template'),
  };
  if (get<string>('ggml.model') === 'gpt2') {
    return { ...common, kind: 'gguf-bpe', preTokenizer: get('ggml.pre'), merges: get('ggml.merges') };
  }
  const scores = Float32Array.from(get<number[]>('ggml.scores'));
  return { ...common, kind: 'gguf-spm', scores, addSpacePrefix: get<number>('ggml.add_space_prefix') === 1 };
}
