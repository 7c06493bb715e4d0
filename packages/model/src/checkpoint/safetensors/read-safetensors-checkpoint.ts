import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { InvalidCheckpointError } from '../../errors.js';
import type { Checkpoint, TensorInfo } from '../checkpoint.js';
import { readJsonFile } from '../json-file.js';
import { readSafetensorsFile } from './read-safetensors.js';

/** Name of the file that lists the shards of a model. */
export const SAFETENSORS_INDEX = 'model.safetensors.index.json';
const MAX_SHARDS = 4096;

/** A safetensors checkpoint: one file or all shards. */
export interface SafetensorsCheckpoint extends Checkpoint {
  readonly format: 'safetensors';
  /** `__metadata__` of the first file. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** Reads the headers of a safetensors model from one file, or from all shards when an index beside it names that file. */
export function readSafetensorsCheckpoint(path: string): SafetensorsCheckpoint {
  const indexPath = join(dirname(path), SAFETENSORS_INDEX);
  const shards = existsSync(indexPath) ? readShardIndex(indexPath) : undefined;
  const isShard = shards !== undefined && [...shards.values()].includes(basename(path));
  const paths = isShard ? [...new Set(shards.values())].map((name) => join(dirname(path), name)) : [path];
  const files = paths.map((file, index) => readSafetensorsFile(file, index));
  const tensors = new Map<string, TensorInfo>();
  for (const file of files) {
    for (const tensor of file.tensors) {
      if (tensors.has(tensor.name))
        throw new InvalidCheckpointError(file.path, `tensor ${tensor.name}`, 'is also in another shard');
      tensors.set(tensor.name, tensor);
    }
  }
  if (isShard) checkShardIndex(indexPath, shards, tensors, paths);
  return {
    format: 'safetensors',
    path: isShard ? indexPath : path,
    files: files.map((file) => ({ path: file.path, sizeBytes: file.sizeBytes })),
    tensors,
    metadata: files[0]?.metadata ?? {},
  };
}

/**
 * File of each tensor, by the `weight_map` of an index.
 * @throws {@link InvalidCheckpointError} If a name could reach outside the index's folder, or a shard is missing.
 */
export function readShardIndex(indexPath: string): Map<string, string> {
  const map = readJsonFile(indexPath)['weight_map'];
  if (typeof map !== 'object' || map === null || Array.isArray(map)) {
    throw new InvalidCheckpointError(indexPath, 'weight_map', 'is missing or no object of tensor to file');
  }
  const shards = new Map<string, string>();
  for (const [tensor, file] of Object.entries(map)) {
    if (typeof file !== 'string' || !/^[\w-][\w.-]*\.safetensors$/.test(file)) {
      throw new InvalidCheckpointError(
        indexPath,
        `weight_map.${tensor}`,
        `got ${JSON.stringify(file)}, expected the name of a .safetensors file beside it`,
      );
    }
    shards.set(tensor, file);
  }
  const names = new Set(shards.values());
  if (names.size === 0 || names.size > MAX_SHARDS) {
    throw new InvalidCheckpointError(indexPath, 'weight_map', `names ${names.size} files, expected 1 to ${MAX_SHARDS}`);
  }
  return shards;
}

function checkShardIndex(
  indexPath: string,
  shards: ReadonlyMap<string, string>,
  tensors: ReadonlyMap<string, TensorInfo>,
  paths: readonly string[],
): void {
  for (const [name, file] of shards) {
    const found = tensors.get(name);
    if (found === undefined || basename(paths[found.bytes.file] as string) !== file) {
      throw new InvalidCheckpointError(
        indexPath,
        `weight_map.${name}`,
        `names ${file}, which does not hold that tensor`,
      );
    }
  }
}
