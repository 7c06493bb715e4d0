import { type FileHandle, open } from 'node:fs/promises';
import type { Encoding } from '@kvasir/interfaces';
import { encodedBytes, encodingName } from '@kvasir/quant';
import { numElements } from '../checkpoint/checkpoint.js';
import { InvalidCheckpointError } from '../errors.js';

/** A tensor to write. */
export interface TensorData {
  readonly name: string;
  /** Row-major, slowest first. */
  readonly shape: readonly number[];
  readonly encoding: Encoding;
  /** Its bytes, or a function that makes them when their turn comes, so that a large model is never held whole. */
  readonly data: Uint8Array | (() => Uint8Array | Promise<Uint8Array>);
}

/** Bytes that a tensor takes. */
export function tensorDataBytes({ shape, encoding }: TensorData): number {
  return encodedBytes(encoding, numElements(shape));
}

/** Writes a header and then every tensor, each padded with zeros to `alignment`. */
export async function writeTensorFile(
  path: string,
  header: Uint8Array,
  tensors: readonly TensorData[],
  alignment: number,
): Promise<void> {
  const file = await open(path, 'w');
  try {
    await writeAll(file, header);
    for (const tensor of tensors) {
      const bytes = typeof tensor.data === 'function' ? await tensor.data() : tensor.data;
      const expected = tensorDataBytes(tensor);
      if (bytes.length !== expected) {
        const problem = `got ${bytes.length} bytes, expected ${expected} for ${encodingName(tensor.encoding)} [${tensor.shape.join(', ')}]`;
        throw new InvalidCheckpointError(path, `tensor ${tensor.name}`, problem);
      }
      await writeAll(file, bytes);
      await writeAll(file, new Uint8Array(padding(expected, alignment)));
    }
  } finally {
    await file.close();
  }
}

/** Bytes from `length` to the next multiple of `alignment`. */
export function padding(length: number, alignment: number): number {
  return (alignment - (length % alignment)) % alignment;
}

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; ) at += (await file.write(bytes, at)).bytesWritten;
}
