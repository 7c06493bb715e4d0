import type { BlockEncoding, BlockLayout, DenseEncoding, Encoding } from '@kvasir/interfaces';
import { UnsupportedError } from '@kvasir/interfaces';
import { EncodingSizeError } from './errors.js';

/** The dense encodings by dtype. */
export const DENSE_ENCODINGS: Readonly<Record<DenseEncoding['dtype'], DenseEncoding>> = {
  f32: { kind: 'dense', dtype: 'f32' },
  f16: { kind: 'dense', dtype: 'f16' },
  bf16: { kind: 'dense', dtype: 'bf16' },
};

/** The self-contained block encodings by layout. Sizes: ggml's `ggml-common.h`. */
export const BLOCK_ENCODINGS: Readonly<Record<BlockLayout, BlockEncoding>> = {
  q4_0: block('q4_0', 32, 18, 32, 4, false),
  q4_1: block('q4_1', 32, 20, 32, 4, true),
  q5_0: block('q5_0', 32, 22, 32, 5, false),
  q5_1: block('q5_1', 32, 24, 32, 5, true),
  q8_0: block('q8_0', 32, 34, 32, 8, false),
  q4_k: block('q4_k', 256, 144, 32, 4, true),
  q5_k: block('q5_k', 256, 176, 32, 5, true),
  q6_k: block('q6_k', 256, 210, 16, 6, false),
};

const DENSE_BYTES = { f32: 4, f16: 2, bf16: 2 } as const;

/** Short name of an encoding, such as `f16`, `q4_k` or `grouped-4`. */
export function encodingName(encoding: Encoding): string {
  if (encoding.kind === 'dense') return encoding.dtype;
  return encoding.kind === 'block' ? encoding.layout : `grouped-${encoding.bits}`;
}

/** Elements that are stored together: rows must be whole multiples of it. */
export function encodingBlockSize(encoding: DenseEncoding | BlockEncoding): number {
  return encoding.kind === 'dense' ? 1 : encoding.blockSize;
}

/**
 * Bytes of `numElements` elements.
 * @throws {@link EncodingSizeError} If `numElements` is not a whole number of blocks.
 * @throws `UnsupportedError` For an encoding whose parts lie in several tensors.
 */
export function encodedBytes(encoding: Encoding, numElements: number): number {
  if (encoding.kind === 'dense') return numElements * DENSE_BYTES[encoding.dtype];
  if (encoding.kind === 'grouped') {
    throw new UnsupportedError(
      'grouped encoding',
      'a grouped encoding has no single byte length; size its parts one by one',
    );
  }
  const { layout, blockSize, blockBytes } = encoding;
  if (numElements % blockSize !== 0) {
    const expected = Math.ceil(numElements / blockSize) * blockSize;
    throw new EncodingSizeError(layout, 'elements', numElements, expected, `A row is whole blocks of ${blockSize}`);
  }
  return (numElements / blockSize) * blockBytes;
}

function block(
  layout: BlockLayout,
  blockSize: number,
  blockBytes: number,
  groupSize: number,
  bits: BlockEncoding['bits'],
  hasMinimum: boolean,
): BlockEncoding {
  return { kind: 'block', layout, blockSize, blockBytes, groupSize, bits, hasMinimum };
}
