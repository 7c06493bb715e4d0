import type { GgufBpeTokenizerSource } from '@kvasir/interfaces';

/** A real vocabulary with one token a byte, in the alphabet of byte-level BPE, and EOS (id 256). */
export function byteTokenizerSource(): GgufBpeTokenizerSource {
  const isPrintable = (byte: number) => (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte !== 0xad);
  let shifted = 256;
  const bytes = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(isPrintable(byte) ? byte : shifted++));
  return {
    kind: 'gguf-bpe',
    preTokenizer: 'smollm',
    vocabSize: 257,
    tokens: [...bytes, '<eos>'],
    tokenTypes: new Int32Array(257).fill(1).fill(3, 256),
    merges: [],
    eosTokenId: 256,
    addBos: false,
    addEos: false,
  };
}
