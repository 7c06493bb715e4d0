import { type FileHandle, mkdir, open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RowOrder, WeightRecord } from '@kvasir/interfaces';
import { DENSE_ENCODINGS, decodeRow } from '@kvasir/quant';
import { huggingFaceTensorNames } from '../architectures/hugging-face-tensor-names.js';
import { findArchitecture } from '../architectures/registry.js';
import { numElements } from '../checkpoint/checkpoint.js';
import { FieldReader } from '../checkpoint/field-reader.js';
import { readGgufCheckpoint } from '../checkpoint/gguf/read-gguf-checkpoint.js';
import { readGgufVector } from '../checkpoint/gguf/read-vector.js';
import { InvalidCheckpointError } from '../errors.js';
import { openGguf } from '../open-gguf.js';
import { writeSafetensors } from './write-safetensors.js';

/**
 * Writes a GGUF model as a Hugging Face folder of float32: `config.json`, `generation_config.json` and `model.safetensors`, every weight
 * decoded, rows in their own order, norms as that format stores them. The folder becomes a model when the original's `tokenizer.json`
 * is put beside them. Holds one decoded tensor at a time.
 */
export async function convertToSafetensors(ggufPath: string, folder: string): Promise<void> {
  const { program, generation } = openGguf(ggufPath, {});
  const checkpoint = readGgufCheckpoint(ggufPath);
  const family = checkpoint.metadata.get('general.architecture') as string;
  const architecture = findArchitecture(ggufPath, 'ggufNames', family);
  const fields = FieldReader.ofMap(ggufPath, `${family}.`, checkpoint.metadata);
  const config = architecture.fromGguf({ fields, readVector: (name) => readGgufVector(checkpoint, name) });
  const nameOf = huggingFaceTensorNames(architecture);
  const norms = new Set(program.ops.flatMap((op) => (op.op === 'rmsNorm' ? [program.weights[op.weight]?.name] : [])));

  await mkdir(folder, { recursive: true });
  const settings = { ...architecture.toHuggingFace(config), vocab_size: program.vocabSize, torch_dtype: 'float32' };
  await writeFile(join(folder, 'config.json'), JSON.stringify(settings, undefined, 2));
  const ends = { eos_token_id: generation.eosTokenIds, bos_token_id: generation.bosTokenId };
  await writeFile(join(folder, 'generation_config.json'), JSON.stringify(ends, undefined, 2));
  const files: FileHandle[] = [];
  try {
    for (const { path } of program.files) files.push(await open(path, 'r'));
    const tensors = program.weights.map((weight) => ({
      name: nameOf(weight.name),
      shape: weight.shape,
      encoding: DENSE_ENCODINGS.f32,
      data: () => readFloat32(files, weight, norms.has(weight.name) ? architecture.huggingFaceNormOffset : 0),
    }));
    await writeSafetensors(join(folder, 'model.safetensors'), tensors, { format: 'pt' });
  } finally {
    await Promise.all(files.map((file) => file.close()));
  }
}

async function readFloat32(files: readonly FileHandle[], weight: WeightRecord, offset: 0 | 1): Promise<Uint8Array> {
  const [part] = weight.parts as readonly [WeightRecord['parts'][number]];
  const bytes = new Uint8Array(part.length);
  await readFully(files[part.file] as FileHandle, bytes, part.offset);
  const values = decodeRow(weight.encoding, bytes, numElements(weight.shape));
  if (offset !== 0) for (const index of values.keys()) values[index] = (values[index] as number) - offset;
  const ordered = weight.rowOrder === undefined ? values : inOwnOrder(values, weight.rowOrder);
  return new Uint8Array(ordered.buffer, ordered.byteOffset, ordered.byteLength);
}

async function readFully(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const { bytesRead } = await file.read(bytes, at, bytes.length - at, position + at);
    if (bytesRead === 0)
      throw new InvalidCheckpointError('checkpoint', `byte ${position + at}`, 'file shrank while it was read');
    at += bytesRead;
  }
}

/** Undoes {@link RowOrder}: stored row 2i of a head is its row i, stored row 2i + 1 its row i + headDim / 2. */
function inOwnOrder(values: Float32Array, { numHeads, headDim }: RowOrder): Float32Array {
  const columns = values.length / (numHeads * headDim);
  const ordered = new Float32Array(values.length);
  for (let stored = 0; stored < numHeads * headDim; stored++) {
    const inHead = stored % headDim;
    const row = stored - inHead + (inHead >> 1) + (inHead % 2) * (headDim / 2);
    ordered.set(values.subarray(stored * columns, (stored + 1) * columns), row * columns);
  }
  return ordered;
}
