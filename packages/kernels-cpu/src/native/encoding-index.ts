import { type Encoding, UnsupportedError } from '@kvasir/interfaces';

/** `WeightEncoding` of native/linear/linear.h, by index. */
const NAMES = ['f32', 'f16', 'bf16', 'q4_0', 'q4_1', 'q5_0', 'q5_1', 'q8_0', 'q4_k', 'q5_k', 'q6_k'];

/**
 * Index of an encoding in the native kernels.
 * @throws `UnsupportedError` For an encoding that has no kernel yet.
 */
export function encodingIndex(encoding: Encoding, weightName: string): number {
  const name =
    encoding.kind === 'dense' ? encoding.dtype : encoding.kind === 'block' ? encoding.layout : encoding.packOrder;
  const index = encoding.kind === 'grouped' ? -1 : NAMES.indexOf(name);
  if (index < 0) {
    throw new UnsupportedError(
      `encoding ${encoding.kind} ${name}`,
      `weight '${weightName}' is encoded as ${encoding.kind} ${name}: expected one of ${NAMES.join(', ')}`,
    );
  }
  return index;
}
