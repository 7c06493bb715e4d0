import type { Encoding } from '@kvasir/interfaces';
import { encodingName } from '@kvasir/quant';
import {
  GGUF_TENSOR_TYPES,
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
  if (typeof value === 'string') return writeTyped(header, 'string', value);
  if (typeof value === 'boolean') return writeTyped(header, 'bool', value);
  if (typeof value === 'number') {
    const isU32 = Number.isInteger(value) && value >= 0 && value < 2 ** 32;
    return writeTyped(header, isU32 ? 'u32' : 'f32', value);
  }
  if ('type' in value) return writeTyped(header, value.type, value.value);
  const elementType = value.elementType as GgufValueType;
  header.u32(GGUF_VALUE_TYPES.indexOf('array'));
  header.u32(GGUF_VALUE_TYPES.indexOf(elementType));
  header.u64(value.values.length);
  for (const element of value.values) writeScalar(header, elementType, element);
}

function writeTyped(header: ByteWriter, type: GgufValueType, value: string | boolean | number | bigint): void {
  header.u32(GGUF_VALUE_TYPES.indexOf(type));
  writeScalar(header, type, value);
}

function writeScalar(header: ByteWriter, type: GgufValueType, value: string | boolean | number | bigint): void {
  switch (type) {
    case 'string':
      return header.string(String(value));
    case 'bool':
      return header.u8(value ? 1 : 0);
    case 'u8':
      return header.u8(Number(value));
    case 'i8':
      return header.view(1, (view) => view.setInt8(0, Number(value)));
    case 'u16':
      return header.view(2, (view) => view.setUint16(0, Number(value), true));
    case 'i16':
      return header.view(2, (view) => view.setInt16(0, Number(value), true));
    case 'u32':
      return header.u32(Number(value));
    case 'i32':
      return header.view(4, (view) => view.setInt32(0, Number(value), true));
    case 'f32':
      return header.view(4, (view) => view.setFloat32(0, Number(value), true));
    case 'f64':
      return header.view(8, (view) => view.setFloat64(0, Number(value), true));
    case 'u64':
      return header.u64(BigInt(value));
    case 'i64':
      return header.view(8, (view) => view.setBigInt64(0, BigInt(value), true));
    case 'array':
      throw new InvalidCheckpointError('metadata', 'array', 'arrays of arrays cannot be written');
  }
}
