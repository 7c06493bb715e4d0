import { type BlockLayout, type DenseEncoding, type Encoding, UnsupportedError } from '@kvasir/interfaces';
import { encodedBytes, encodingName } from './encodings.js';
import { EncodingSizeError } from './errors.js';
import {
  type BlockDecoder,
  decodeQ4_0,
  decodeQ4_1,
  decodeQ5_0,
  decodeQ5_1,
  decodeQ8_0,
} from './gguf/decode-block-32.js';
import { decodeQ4K, decodeQ5K, decodeQ6K } from './gguf/decode-block-256.js';
import { bf16ToNumber, f16ToNumber } from './half.js';

const BLOCK_DECODERS: Readonly<Record<BlockLayout, BlockDecoder>> = {
  q4_0: decodeQ4_0,
  q4_1: decodeQ4_1,
  q5_0: decodeQ5_0,
  q5_1: decodeQ5_1,
  q8_0: decodeQ8_0,
  q4_k: decodeQ4K,
  q5_k: decodeQ5K,
  q6_k: decodeQ6K,
};

/**
 * Decodes `numElements` elements (a row, or several rows one after the other) to float32. Products are formed in double precision and
 * rounded once, so this is the oracle that kernels are compared to, written to be read and not to be fast.
 * @param bytes - Exactly the bytes of those elements; unchanged.
 * @throws {@link EncodingSizeError} If `bytes` or `numElements` do not fit the encoding.
 * @throws `UnsupportedError` For grouped encodings.
 */
export function decodeRow(encoding: Encoding, bytes: Uint8Array, numElements: number): Float32Array {
  const expected = encodedBytes(encoding, numElements);
  if (bytes.length !== expected) {
    throw new EncodingSizeError(
      encodingName(encoding),
      'bytes',
      bytes.length,
      expected,
      `That is what ${numElements} elements take`,
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const out = new Float32Array(numElements);
  if (encoding.kind === 'dense') {
    for (let index = 0; index < numElements; index++) out[index] = decodeDense(encoding.dtype, view, index);
    return out;
  }
  if (encoding.kind === 'grouped')
    throw new UnsupportedError('grouped encoding', 'decodeRow reads dense and block encodings only');
  const decode = BLOCK_DECODERS[encoding.layout];
  for (let block = 0; block * encoding.blockSize < numElements; block++) {
    decode(view, block * encoding.blockBytes, out, block * encoding.blockSize);
  }
  return out;
}

function decodeDense(dtype: DenseEncoding['dtype'], view: DataView, index: number): number {
  switch (dtype) {
    case 'f32':
      return view.getFloat32(4 * index, true);
    case 'f16':
      return f16ToNumber(view.getUint16(2 * index, true));
    case 'bf16':
      return bf16ToNumber(view.getUint16(2 * index, true));
  }
}
