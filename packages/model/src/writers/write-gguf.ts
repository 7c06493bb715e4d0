import type { Encoding } from '@kvasir/interfaces';
import { encodingName } from '@kvasir/quant';
import {
  GGUF_TENSOR_TYPES,
  GGUF_VALUE_BYTES,
  GGUF_VALUE_TYPES,
  type GgufArray,
  type GgufValueType,
} from '../checkpoint/gguf/gguf-types.js';
import { InvalidCheckpointError } from '../errors.js';
import { ByteWriter } from './byte-writer.js';
import { padding, type TensorData, tensorDataBytes, writeTensorFile } from './tensor-data.js';

/** A value to write: a plain integer becomes u32, another number f32; name the type where that is not wanted. */
export type GgufWriteValue =
  | string
  | boolean
  | number
  | GgufArray
  | { readonly type: Exclude<GgufValueType, 'array' | 'string' | 'bool'>; readonly value: number | bigint };

/** What {@link writeGguf} writes. */
export interface GgufContent {
  readonly metadata: Readonly<Record<string, GgufWriteValue>>;
  readonly tensors: readonly TensorData[];
}

const ALIGNMENT = 32;

/** Writes a GGUF file, version 3, tensors in the given order. `general.alignment` is left at its default of 32. */
export async function writeGguf(path: string, { metadata, tensors }: GgufContent): Promise<void> {
  const header = new ByteWriter();
  header.u32(0x46554747);
  header.u32(3);
  header.u64(tensors.length);
  header.u64(Object.keys(metadata).length);
  for (const [key, value] of Object.entries(metadata)) {
    header.string(key);
    writeValue(header, value);
  }
  let offset = 0;
  for (const tensor of tensors) {
    header.string(tensor.name);
    header.u32(tensor.shape.length);
    for (const dimension of tensor.shape.toReversed()) header.u64(dimension);
    header.u32(typeId(path, tensor.name, tensor.encoding));
    header.u64(offset);
    offset += tensorDataBytes(tensor);
    offset += padding(offset, ALIGNMENT);
  }
  header.pad(ALIGNMENT);
  await writeTensorFile(path, header.finish(), tensors, ALIGNMENT);
}

function typeId(path: string, name: string, encoding: Encoding): number {
  const wanted = encodingName(encoding);
  for (const [id, type] of GGUF_TENSOR_TYPES) if (type.name === wanted) return id;
  throw new InvalidCheckpointError(path, `tensor ${name}`, `GGUF has no type for the encoding ${wanted}`);
}

function writeValue(header: ByteWriter, value: GgufWriteValue): void {
  if (typeof value !== 'object') {
    const type = plainType(value);
    header.u32(GGUF_VALUE_TYPES.indexOf(type));
    writeScalar(header, type, value);
  } else if ('type' in value) {
    header.u32(GGUF_VALUE_TYPES.indexOf(value.type));
    writeScalar(header, value.type, value.value);
  } else {
    const elementType = value.elementType as GgufScalarType;
    header.u32(GGUF_VALUE_TYPES.indexOf('array'));
    header.u32(GGUF_VALUE_TYPES.indexOf(elementType));
    header.u64(value.values.length);
    for (const element of value.values) writeScalar(header, elementType, element);
  }
}

function plainType(value: string | boolean | number): GgufScalarType {
  if (typeof value === 'string') return 'string';
  if (typeof value === 'boolean') return 'bool';
  return Number.isInteger(value) && value >= 0 && value < 2 ** 32 ? 'u32' : 'f32';
}

type GgufScalarType = Exclude<GgufValueType, 'array'>;

const SETTERS: Readonly<Record<Exclude<GgufScalarType, 'string'>, (view: DataView, value: number | bigint) => void>> = {
  u8: (view, value) => view.setUint8(0, Number(value)),
  i8: (view, value) => view.setInt8(0, Number(value)),
  u16: (view, value) => view.setUint16(0, Number(value), true),
  i16: (view, value) => view.setInt16(0, Number(value), true),
  u32: (view, value) => view.setUint32(0, Number(value), true),
  i32: (view, value) => view.setInt32(0, Number(value), true),
  f32: (view, value) => view.setFloat32(0, Number(value), true),
  f64: (view, value) => view.setFloat64(0, Number(value), true),
  u64: (view, value) => view.setBigUint64(0, BigInt(value), true),
  i64: (view, value) => view.setBigInt64(0, BigInt(value), true),
  bool: (view, value) => view.setUint8(0, Number(value)),
};

function writeScalar(header: ByteWriter, type: GgufScalarType, value: string | boolean | number | bigint): void {
  if (type === 'string') header.string(String(value));
  else
    header.view(GGUF_VALUE_BYTES[type], (view) =>
      SETTERS[type](view, typeof value === 'bigint' ? value : Number(value)),
    );
}
