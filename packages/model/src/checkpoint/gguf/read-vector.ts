import { InvalidCheckpointError } from '../../errors.js';
import type { TensorInfo } from '../checkpoint.js';
import { HeaderFile } from '../header-file.js';
import type { GgufCheckpoint } from './read-gguf.js';

const MAX_VECTOR_BYTES = 1 << 20;

/** Values of a small f32 vector that belongs to the description of a model; `undefined` when there is none of that name. */
export function readGgufVector(checkpoint: GgufCheckpoint, name: string): Float32Array | undefined {
  const tensor = checkpoint.tensors.get(name);
  if (tensor === undefined) return undefined;
  checkVector(checkpoint.path, tensor);
  const file = new HeaderFile(checkpoint.files[tensor.bytes.file]?.path as string, 0);
  try {
    return new Float32Array(file.read(tensor.bytes.offset, tensor.bytes.length).buffer as ArrayBuffer);
  } finally {
    file.close();
  }
}

function checkVector(path: string, { name, shape, dtype, bytes }: TensorInfo): void {
  if (dtype === 'f32' && shape.length === 1 && bytes.length <= MAX_VECTOR_BYTES) return;
  throw new InvalidCheckpointError(
    path,
    `tensor ${name}`,
    `got ${dtype} [${shape.join(', ')}], expected an f32 vector`,
  );
}
