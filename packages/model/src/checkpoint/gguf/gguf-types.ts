import type { Encoding } from '@kvasir/interfaces';
import { BLOCK_ENCODINGS, DENSE_ENCODINGS } from '@kvasir/quant';

/** An array of a GGUF header: numbers as a typed array where one fits, strings and booleans as they are. */
export interface GgufArray {
  readonly elementType: string;
  readonly values: readonly string[] | readonly boolean[] | readonly (number | bigint)[] | Int32Array | Float32Array;
}

/** A value of a GGUF header; 64-bit integers beyond 2^53 stay `bigint`. */
export type GgufValue = number | bigint | boolean | string | GgufArray;

/** Value types of metadata by id. */
export const GGUF_VALUE_TYPES = [
  'u8',
  'i8',
  'u16',
  'i16',
  'u32',
  'i32',
  'f32',
  'bool',
  'string',
  'array',
  'u64',
  'i64',
  'f64',
] as const;

/** Name of a metadata value type. */
export type GgufValueType = (typeof GGUF_VALUE_TYPES)[number];

/** Bytes of a value type, or the least that one can take. */
export const GGUF_VALUE_BYTES: Readonly<Record<GgufValueType, number>> = {
  u8: 1,
  i8: 1,
  u16: 2,
  i16: 2,
  u32: 4,
  i32: 4,
  f32: 4,
  bool: 1,
  string: 8,
  array: 12,
  u64: 8,
  i64: 8,
  f64: 8,
};

/** A tensor type: how many bytes a block of elements takes. */
export interface GgufTensorType {
  readonly name: string;
  readonly blockSize: number;
  readonly blockBytes: number;
  /** Absent for types that are sized but not decoded. */
  readonly encoding?: Encoding;
}

/** Tensor types by id (ggml `enum ggml_type`); the gaps were removed from the format. */
export const GGUF_TENSOR_TYPES: ReadonlyMap<number, GgufTensorType> = new Map([
  [0, { name: 'f32', blockSize: 1, blockBytes: 4, encoding: DENSE_ENCODINGS.f32 }],
  [1, { name: 'f16', blockSize: 1, blockBytes: 2, encoding: DENSE_ENCODINGS.f16 }],
  [2, decoded('q4_0')],
  [3, decoded('q4_1')],
  [6, decoded('q5_0')],
  [7, decoded('q5_1')],
  [8, decoded('q8_0')],
  [9, { name: 'q8_1', blockSize: 32, blockBytes: 36 }],
  [10, { name: 'q2_k', blockSize: 256, blockBytes: 84 }],
  [11, { name: 'q3_k', blockSize: 256, blockBytes: 110 }],
  [12, decoded('q4_k')],
  [13, decoded('q5_k')],
  [14, decoded('q6_k')],
  [15, { name: 'q8_k', blockSize: 256, blockBytes: 292 }],
  [16, { name: 'iq2_xxs', blockSize: 256, blockBytes: 66 }],
  [17, { name: 'iq2_xs', blockSize: 256, blockBytes: 74 }],
  [18, { name: 'iq3_xxs', blockSize: 256, blockBytes: 98 }],
  [19, { name: 'iq1_s', blockSize: 256, blockBytes: 50 }],
  [20, { name: 'iq4_nl', blockSize: 32, blockBytes: 18 }],
  [21, { name: 'iq3_s', blockSize: 256, blockBytes: 110 }],
  [22, { name: 'iq2_s', blockSize: 256, blockBytes: 82 }],
  [23, { name: 'iq4_xs', blockSize: 256, blockBytes: 136 }],
  [24, { name: 'i8', blockSize: 1, blockBytes: 1 }],
  [25, { name: 'i16', blockSize: 1, blockBytes: 2 }],
  [26, { name: 'i32', blockSize: 1, blockBytes: 4 }],
  [27, { name: 'i64', blockSize: 1, blockBytes: 8 }],
  [28, { name: 'f64', blockSize: 1, blockBytes: 8 }],
  [29, { name: 'iq1_m', blockSize: 256, blockBytes: 56 }],
  [30, { name: 'bf16', blockSize: 1, blockBytes: 2, encoding: DENSE_ENCODINGS.bf16 }],
  [34, { name: 'tq1_0', blockSize: 256, blockBytes: 54 }],
  [35, { name: 'tq2_0', blockSize: 256, blockBytes: 66 }],
  [39, { name: 'mxfp4', blockSize: 32, blockBytes: 17 }],
  [40, { name: 'nvfp4', blockSize: 64, blockBytes: 36 }],
]);

function decoded(layout: keyof typeof BLOCK_ENCODINGS): GgufTensorType {
  const encoding = BLOCK_ENCODINGS[layout];
  return { name: layout, blockSize: encoding.blockSize, blockBytes: encoding.blockBytes, encoding };
}
