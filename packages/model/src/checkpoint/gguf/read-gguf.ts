import { InvalidCheckpointError } from '../../errors.js';
import type { Checkpoint, TensorInfo } from '../checkpoint.js';
import { HeaderFile } from '../header-file.js';
import { GgufCursor } from './gguf-cursor.js';
import type { GgufValue } from './gguf-types.js';
import { readGgufMetadata } from './read-metadata.js';
import { readGgufTensors } from './read-tensors.js';

const MAGIC = 0x46554747;
const MAX_HEADER_BYTES = 1 << 28;
const MAX_PAIRS = 1 << 16;
const MAX_TENSORS = 1 << 17;
/** Least bytes of a pair (key length, one byte, type, value) and of a tensor info (name length, name, one dimension). */
const MIN_PAIR_BYTES = 14;
const MIN_TENSOR_BYTES = 33;

/** The header of one GGUF file. */
export interface GgufFile {
  readonly path: string;
  readonly version: number;
  readonly sizeBytes: number;
  readonly metadata: ReadonlyMap<string, GgufValue>;
  readonly tensors: readonly TensorInfo[];
}

/** A GGUF checkpoint: metadata of its first file and the tensors of all. */
export interface GgufCheckpoint extends Checkpoint {
  readonly format: 'gguf';
  readonly version: number;
  readonly metadata: ReadonlyMap<string, GgufValue>;
}

/**
 * Reads the header of a GGUF file, version 2 or 3. No tensor data is touched.
 * @param fileIndex - What {@link ByteRange.file} of its tensors says.
 * @throws {@link InvalidCheckpointError} For anything that contradicts the format or the size of the file.
 */
export function readGgufFile(path: string, fileIndex = 0): GgufFile {
  const file = new HeaderFile(path, MAX_HEADER_BYTES);
  try {
    const cursor = new GgufCursor(file);
    const version = readVersion(cursor);
    const numTensors = cursor.size('tensor count');
    const numPairs = cursor.size('key count');
    checkCount(cursor, 'tensor count', numTensors, MAX_TENSORS, MIN_TENSOR_BYTES);
    checkCount(cursor, 'key count', numPairs, MAX_PAIRS, MIN_PAIR_BYTES);
    const metadata = readGgufMetadata(cursor, numPairs);
    const tensors = readGgufTensors(cursor, numTensors, readAlignment(path, metadata), fileIndex);
    return { path, version, sizeBytes: file.sizeBytes, metadata, tensors };
  } finally {
    file.close();
  }
}

function readVersion(cursor: GgufCursor): number {
  const { path } = cursor.file;
  const magic = cursor.u32('magic');
  if (magic !== MAGIC) {
    const got = magic.toString(16).padStart(8, '0');
    throw new InvalidCheckpointError(
      path,
      'magic',
      `got 0x${got}, expected 0x46554747 ("GGUF"): this is not a GGUF file`,
    );
  }
  const version = cursor.u32('version');
  if (version !== 0 && (version & 0xffff) === 0) {
    throw new InvalidCheckpointError(path, 'version', 'the file is big-endian; convert it to little-endian');
  }
  if (version !== 2 && version !== 3) {
    throw new InvalidCheckpointError(path, 'version', `got ${version}, expected 2 or 3; convert the model again`);
  }
  return version;
}

function checkCount(
  { file, remaining }: GgufCursor,
  where: string,
  count: number,
  max: number,
  minBytes: number,
): void {
  const limit = Math.min(max, Math.floor(remaining / minBytes));
  if (count > limit)
    throw new InvalidCheckpointError(file.path, where, `got ${count}, expected at most ${limit} in this file`);
}

function readAlignment(path: string, metadata: ReadonlyMap<string, GgufValue>): number {
  const alignment = metadata.get('general.alignment') ?? 32;
  const isPowerOfTwo =
    typeof alignment === 'number' &&
    Number.isInteger(alignment) &&
    alignment > 0 &&
    alignment <= 1 << 20 &&
    (alignment & (alignment - 1)) === 0;
  if (!isPowerOfTwo) {
    throw new InvalidCheckpointError(
      path,
      'general.alignment',
      `got ${String(alignment)}, expected a power of two up to 2^20`,
    );
  }
  return alignment as number;
}
