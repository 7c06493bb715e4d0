import { InvalidCheckpointError } from '../../errors.js';
import type { TensorInfo } from '../checkpoint.js';
import type { GgufCursor } from './gguf-cursor.js';
import { GGUF_TENSOR_TYPES, type GgufTensorType } from './gguf-types.js';

const MAX_TENSOR_NAME_BYTES = 63;
const MAX_DIMENSIONS = 4;

/** A tensor before the start of the data section is known. */
interface TensorEntry {
  readonly name: string;
  readonly shape: readonly number[];
  readonly type: GgufTensorType;
  /** Relative to the data section. */
  readonly offset: number;
  readonly length: number;
}

/** Reads `count` tensor infos; the cursor then stands at the end of the header. */
export function readGgufTensors(cursor: GgufCursor, count: number, alignment: number, fileIndex: number): TensorInfo[] {
  const entries: TensorEntry[] = [];
  const names = new Set<string>();
  for (let index = 0; index < count; index++) {
    const entry = readEntry(cursor, index, alignment);
    if (names.has(entry.name))
      throw new InvalidCheckpointError(cursor.file.path, `tensor ${entry.name}`, 'occurs twice');
    names.add(entry.name);
    entries.push(entry);
  }
  const dataStart = Math.ceil(cursor.position / alignment) * alignment;
  checkLayout(cursor, entries, dataStart);
  return entries.map(({ name, shape, type, offset, length }) => ({
    name,
    shape,
    dtype: type.name,
    ...(type.encoding === undefined ? {} : { encoding: type.encoding }),
    bytes: { file: fileIndex, offset: dataStart + offset, length },
  }));
}

function readEntry(cursor: GgufCursor, index: number, alignment: number): TensorEntry {
  const { path } = cursor.file;
  const name = cursor.string(`tensor ${index}`, MAX_TENSOR_NAME_BYTES);
  const where = `tensor ${name === '' ? index : name}`;
  if (name === '') throw new InvalidCheckpointError(path, where, 'has no name');
  const numDimensions = cursor.u32(where);
  if (numDimensions < 1 || numDimensions > MAX_DIMENSIONS) {
    throw new InvalidCheckpointError(path, where, `got ${numDimensions} dimensions, expected 1 to ${MAX_DIMENSIONS}`);
  }
  const dimensions = Array.from({ length: numDimensions }, () => cursor.size(where));
  const typeId = cursor.u32(where);
  const type = GGUF_TENSOR_TYPES.get(typeId);
  if (type === undefined)
    throw new InvalidCheckpointError(path, where, `got tensor type ${typeId}, which is not a GGUF type`);
  const length = tensorBytes(path, where, dimensions, type);
  const offset = cursor.size(where);
  if (offset % alignment !== 0) {
    throw new InvalidCheckpointError(
      path,
      where,
      `got offset ${offset}, expected a multiple of the alignment ${alignment}`,
    );
  }
  return { name, shape: dimensions.reverse(), type, offset, length };
}

function tensorBytes(path: string, where: string, dimensions: readonly number[], type: GgufTensorType): number {
  const row = dimensions[0] as number;
  if (row % type.blockSize !== 0) {
    throw new InvalidCheckpointError(
      path,
      where,
      `got rows of ${row} elements, expected whole ${type.name} blocks of ${type.blockSize}`,
    );
  }
  let elements = 1;
  for (const dimension of dimensions) {
    if (dimension === 0) throw new InvalidCheckpointError(path, where, `got shape [${dimensions}], expected no zero`);
    elements *= dimension;
  }
  const length = (elements / type.blockSize) * type.blockBytes;
  if (!Number.isSafeInteger(elements) || !Number.isSafeInteger(length)) {
    throw new InvalidCheckpointError(path, where, `got shape [${dimensions}], which overflows 2^53 bytes`);
  }
  return length;
}

function checkLayout(cursor: GgufCursor, entries: readonly TensorEntry[], dataStart: number): void {
  const { path, sizeBytes } = cursor.file;
  let end = 0;
  let previous = '';
  for (const entry of entries.toSorted((a, b) => a.offset - b.offset)) {
    if (entry.offset < end) {
      throw new InvalidCheckpointError(
        path,
        `tensor ${entry.name}`,
        `starts at ${entry.offset} of the data, inside tensor ${previous}`,
      );
    }
    end = entry.offset + entry.length;
    previous = entry.name;
    if (dataStart + end > sizeBytes) {
      const problem = `file is truncated: it ends at byte ${sizeBytes}, this tensor needs bytes up to ${dataStart + end}`;
      throw new InvalidCheckpointError(path, `tensor ${entry.name}`, `${problem}. Download it again`);
    }
  }
}
