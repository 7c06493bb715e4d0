import { InvalidCheckpointError } from '../../errors.js';
import { type GgufCursor, MAX_GGUF_STRING_BYTES } from './gguf-cursor.js';
import {
  GGUF_VALUE_BYTES,
  GGUF_VALUE_TYPES,
  type GgufArray,
  type GgufValue,
  type GgufValueType,
} from './gguf-types.js';

const MAX_KEY_BYTES = 65_535;
const MAX_ARRAY_LENGTH = 1 << 24;

/** Reads `count` key-value pairs. */
export function readGgufMetadata(cursor: GgufCursor, count: number): Map<string, GgufValue> {
  const pairs = new Map<string, GgufValue>();
  for (let index = 0; index < count; index++) {
    const key = cursor.string(`key ${index}`, MAX_KEY_BYTES);
    if (key === '') throw new InvalidCheckpointError(cursor.file.path, `key ${index}`, 'is empty');
    if (pairs.has(key)) throw new InvalidCheckpointError(cursor.file.path, key, 'this key occurs twice');
    const type = readType(cursor, key);
    pairs.set(key, type === 'array' ? readArray(cursor, key) : readScalar(cursor, type, key));
  }
  return pairs;
}

function readType(cursor: GgufCursor, key: string): GgufValueType {
  const id = cursor.u32(key);
  const type = GGUF_VALUE_TYPES[id];
  if (type === undefined) {
    throw new InvalidCheckpointError(
      cursor.file.path,
      key,
      `got value type ${id}, expected 0 to ${GGUF_VALUE_TYPES.length - 1}`,
    );
  }
  return type;
}

function readArray(cursor: GgufCursor, key: string): GgufArray {
  const { path } = cursor.file;
  const elementType = readType(cursor, key);
  if (elementType === 'array')
    throw new InvalidCheckpointError(path, key, 'is an array of arrays, which GGUF readers refuse');
  const length = cursor.size(key);
  const fits = Math.floor(cursor.remaining / GGUF_VALUE_BYTES[elementType]);
  if (length > fits) {
    throw new InvalidCheckpointError(
      path,
      key,
      `got ${length} elements of ${elementType}, but at most ${fits} fit into the file`,
    );
  }
  if (length > MAX_ARRAY_LENGTH) {
    throw new InvalidCheckpointError(path, key, `got ${length} elements, expected at most ${MAX_ARRAY_LENGTH}`);
  }
  return { elementType, values: readElements(cursor, elementType, length, key) };
}

function readElements(cursor: GgufCursor, type: GgufValueType, length: number, key: string): GgufArray['values'] {
  if (type === 'string') return cursor.strings(length, key);
  if (type === 'i32') return new Int32Array(cursor.alignedBytes(4 * length, key).buffer);
  if (type === 'f32') return new Float32Array(cursor.alignedBytes(4 * length, key).buffer);
  if (type === 'bool') return Array.from({ length }, () => readScalar(cursor, type, key) as boolean);
  return Array.from({ length }, () => readScalar(cursor, type, key) as number | bigint);
}

function readScalar(cursor: GgufCursor, type: GgufValueType, key: string): number | bigint | boolean | string {
  if (type === 'string') return cursor.string(key, MAX_GGUF_STRING_BYTES);
  const view = cursor.view(GGUF_VALUE_BYTES[type], key);
  switch (type) {
    case 'u8':
      return view.getUint8(0);
    case 'i8':
      return view.getInt8(0);
    case 'u16':
      return view.getUint16(0, true);
    case 'i16':
      return view.getInt16(0, true);
    case 'u32':
      return view.getUint32(0, true);
    case 'i32':
      return view.getInt32(0, true);
    case 'f32':
      return view.getFloat32(0, true);
    case 'f64':
      return view.getFloat64(0, true);
    case 'u64':
      return exact(view.getBigUint64(0, true));
    case 'i64':
      return exact(view.getBigInt64(0, true));
    default:
      return readBoolean(cursor, view.getUint8(0), key);
  }
}

function readBoolean(cursor: GgufCursor, byte: number, key: string): boolean {
  if (byte > 1)
    throw new InvalidCheckpointError(cursor.file.path, key, `got the byte ${byte} for a boolean, expected 0 or 1`);
  return byte === 1;
}

function exact(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
