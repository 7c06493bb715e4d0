import { type DenseEncoding, type Encoding, UnsupportedError } from '@kvasir/interfaces';

/** Decodes the elements of a weight; `bytes` holds exactly `numElements` of them. */
export type DecodeWeight = (encoding: Encoding, bytes: Uint8Array, numElements: number) => ArrayLike<number>;

/** Decodes floats; other encodings need the decoder of `@kvasir/quant`. */
export const decodeDense: DecodeWeight = (encoding, bytes, numElements) => {
  if (encoding.kind !== 'dense') {
    throw new UnsupportedError(
      `${encoding.kind} encoding`,
      `the reference backend decodes dense weights only, got ${encoding.kind}: pass it a decodeWeight`,
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const read = READERS[encoding.dtype];
  return Float64Array.from({ length: numElements }, (_, index) => read(view, index));
};

const READERS: Readonly<Record<DenseEncoding['dtype'], (view: DataView, index: number) => number>> = {
  f32: (view, index) => view.getFloat32(4 * index, true),
  f16: (view, index) => decodeHalf(view.getUint16(2 * index, true)),
  bf16: (view, index) => decodeBfloat(view.getUint16(2 * index, true)),
};

/** The upper half of a float32. */
function decodeBfloat(bits: number): number {
  return new Float32Array(new Uint32Array([bits << 16]).buffer)[0]!;
}

/** IEEE 754 binary16. */
function decodeHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 0x3ff;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
