import { type BlockLayout, type DenseEncoding, type Encoding, UnsupportedError } from '@kvasir/interfaces';
import { encodedBytes } from './encodings.js';
import {
  type BlockEncoder,
  encodeQ4_0,
  encodeQ4_1,
  encodeQ5_0,
  encodeQ5_1,
  encodeQ8_0,
} from './gguf/encode-block-32.js';
import { encodeQ4K, encodeQ5K, encodeQ6K } from './gguf/encode-block-256.js';
import { numberToBf16, numberToF16 } from './half.js';

const BLOCK_ENCODERS: Readonly<Record<BlockLayout, BlockEncoder>> = {
  q4_0: encodeQ4_0,
  q4_1: encodeQ4_1,
  q5_0: encodeQ5_0,
  q5_1: encodeQ5_1,
  q8_0: encodeQ8_0,
  q4_k: encodeQ4K,
  q5_k: encodeQ5K,
  q6_k: encodeQ6K,
};

/**
 * Encodes elements round-to-nearest: scales from the range of each group, no search for better ones. Valid blocks for tests and for small
 * models, not a quantizer to publish weights with.
 * @param values - A row, or several rows one after the other; finite.
 * @throws {@link EncodingSizeError} If `values` is not a whole number of blocks.
 * @throws `UnsupportedError` For grouped encodings.
 */
export function encodeRow(encoding: Encoding, values: Float32Array): Uint8Array {
  const bytes = new Uint8Array(encodedBytes(encoding, values.length));
  const view = new DataView(bytes.buffer);
  if (encoding.kind === 'dense') {
    values.forEach((value, index) => {
      encodeDense(encoding.dtype, view, index, value);
    });
    return bytes;
  }
  if (encoding.kind === 'grouped')
    throw new UnsupportedError('grouped encoding', 'encodeRow writes dense and block encodings only');
  const encode = BLOCK_ENCODERS[encoding.layout];
  for (let block = 0; block * encoding.blockSize < values.length; block++) {
    encode(values, block * encoding.blockSize, view, block * encoding.blockBytes);
  }
  return bytes;
}

function encodeDense(dtype: DenseEncoding['dtype'], view: DataView, index: number, value: number): void {
  if (dtype === 'f32') view.setFloat32(4 * index, value, true);
  else view.setUint16(2 * index, dtype === 'f16' ? numberToF16(value) : numberToBf16(value), true);
}
