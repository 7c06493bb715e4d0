import { defined } from '../../defined.js';
import { InvalidCheckpointError } from '../../errors.js';
import { numElements, type TensorInfo } from '../checkpoint.js';
import { HeaderFile } from '../header-file.js';
import { SAFETENSORS_BITS, SAFETENSORS_ENCODINGS } from './safetensors-types.js';
import { parseStrictJson } from './strict-json.js';

const MAX_HEADER_BYTES = 100_000_000;
const MAX_TENSORS = 1 << 17;
const MAX_DIMENSIONS = 8;

/** The header of one safetensors file. */
export interface SafetensorsFile {
  readonly path: string;
  readonly sizeBytes: number;
  /** `__metadata__`: free text by key. */
  readonly metadata: Readonly<Record<string, string>>;
  /** In order of their bytes. */
  readonly tensors: readonly TensorInfo[];
}

/**
 * Reads the header of a safetensors file. No tensor data is touched.
 * @param fileIndex - What {@link ByteRange.file} of its tensors says.
 * @throws {@link InvalidCheckpointError} For anything that contradicts the format or the size of the file.
 */
export function readSafetensorsFile(path: string, fileIndex = 0): SafetensorsFile {
  const file = new HeaderFile(path, 8 + MAX_HEADER_BYTES);
  try {
    const { text, dataStart } = readHeaderText(file);
    const header = parseStrictJson(path, 'header', text);
    const metadata = readMetadata(path, header['__metadata__']);
    const entries = Object.entries(header).filter(([name]) => name !== '__metadata__');
    if (entries.length > MAX_TENSORS) {
      throw new InvalidCheckpointError(
        path,
        'header',
        `got ${entries.length} tensors, expected at most ${MAX_TENSORS}`,
      );
    }
    const dataBytes = file.sizeBytes - dataStart;
    const tensors = entries.map(([name, entry]) => readTensor(path, name, entry, fileIndex));
    tensors.sort((a, b) => a.bytes.offset - b.bytes.offset || a.bytes.length - b.bytes.length);
    checkContiguous(path, tensors, dataBytes);
    return {
      path,
      sizeBytes: file.sizeBytes,
      metadata,
      tensors: tensors.map((tensor) => ({
        ...tensor,
        bytes: { ...tensor.bytes, offset: dataStart + tensor.bytes.offset },
      })),
    };
  } finally {
    file.close();
  }
}

function readHeaderText(file: HeaderFile): { text: string; dataStart: number } {
  const start = file.load(8, 'header length');
  const high = start.readUInt32LE(4);
  const length = start.readUInt32LE(0);
  if (high !== 0 || length > MAX_HEADER_BYTES || length < 2) {
    const got = start.readBigUInt64LE(0);
    throw new InvalidCheckpointError(
      file.path,
      'header length',
      `got ${got}, expected 2 to ${MAX_HEADER_BYTES}: this is not a safetensors file`,
    );
  }
  const bytes = file.load(8 + length, 'header').subarray(8, 8 + length);
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new InvalidCheckpointError(file.path, 'header', 'is not valid UTF-8', { cause });
  }
  if (!text.startsWith('{'))
    throw new InvalidCheckpointError(file.path, 'header', 'does not start with {: this is not a safetensors file');
  return { text, dataStart: 8 + length };
}

function readMetadata(path: string, value: unknown): Readonly<Record<string, string>> {
  if (value === undefined) return {};
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  if (isObject && Object.values(value).every((text) => typeof text === 'string'))
    return value as Record<string, string>;
  throw new InvalidCheckpointError(path, '__metadata__', 'is no object of strings');
}

/** A tensor whose offset still counts from the start of the data. */
function readTensor(path: string, name: string, entry: unknown, fileIndex: number): TensorInfo {
  const fail = (problem: string): never => {
    throw new InvalidCheckpointError(path, `tensor ${name}`, problem);
  };
  if (typeof entry !== 'object' || entry === null) return fail('is no object of dtype, shape and data_offsets');
  const { dtype, shape, data_offsets: offsets } = entry as { dtype?: unknown; shape?: unknown; data_offsets?: unknown };
  if (typeof dtype !== 'string' || !Object.hasOwn(SAFETENSORS_BITS, dtype))
    return fail(`got dtype ${JSON.stringify(dtype)}, which is not known`);
  if (!isSizes(shape) || shape.length > MAX_DIMENSIONS)
    return fail(`got a shape that is not up to ${MAX_DIMENSIONS} sizes`);
  if (!isSizes(offsets) || offsets.length !== 2) return fail('got data_offsets that are not two byte positions');
  const [begin, end] = offsets as [number, number];
  if (end < begin) return fail(`got data_offsets [${begin}, ${end}], which end before they begin`);
  const bits = numElements(shape) * (SAFETENSORS_BITS[dtype] as number);
  if (!Number.isSafeInteger(bits)) return fail(`got shape [${shape.join(', ')}], which overflows 2^53 bits`);
  if (bits !== 8 * (end - begin))
    return fail(`got ${end - begin} bytes for ${dtype} [${shape.join(', ')}], expected ${bits / 8}`);
  return {
    name,
    shape,
    dtype: dtype.toLowerCase(),
    ...defined('encoding', SAFETENSORS_ENCODINGS[dtype]),
    bytes: { file: fileIndex, offset: begin, length: end - begin },
  };
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}

function checkContiguous(path: string, tensors: readonly TensorInfo[], dataBytes: number): void {
  let end = 0;
  for (const { name, bytes } of tensors) {
    if (bytes.offset !== end) {
      const problem =
        bytes.offset > end ? `leaves a hole of ${bytes.offset - end} bytes before it` : `overlaps the tensor before it`;
      throw new InvalidCheckpointError(
        path,
        `tensor ${name}`,
        `starts at ${bytes.offset} of the data, which ${problem}`,
      );
    }
    end += bytes.length;
    if (end > dataBytes) {
      const problem = `file is truncated: it holds ${dataBytes} bytes of data, this tensor needs bytes up to ${end}. Download it again`;
      throw new InvalidCheckpointError(path, `tensor ${name}`, problem);
    }
  }
  if (end !== dataBytes) {
    throw new InvalidCheckpointError(
      path,
      'file size',
      `got ${dataBytes} bytes of data, expected ${end} from the header`,
    );
  }
}
