import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { InvalidCheckpointError } from '../../errors.js';
import type { TensorInfo } from '../checkpoint.js';
import { type GgufCheckpoint, type GgufFile, readGgufFile } from './read-gguf.js';

const SPLIT_NAME = /^(?<stem>.*)-(?<number>\d{5})-of-(?<count>\d{5})\.gguf$/;
const MAX_SPLITS = 1024;

/** Reads the headers of a GGUF model: one file, or all files of a `-00001-of-0000N` split, whichever of them `path` names. */
export function readGgufCheckpoint(path: string): GgufCheckpoint {
  const files = splitPaths(path).map((part, index) => readGgufFile(part, index));
  const first = files[0] as GgufFile;
  checkSplit(files);
  const tensors = new Map<string, TensorInfo>();
  for (const file of files) {
    for (const tensor of file.tensors) {
      if (tensors.has(tensor.name))
        throw new InvalidCheckpointError(file.path, `tensor ${tensor.name}`, 'is also in another file of the split');
      tensors.set(tensor.name, tensor);
    }
  }
  return {
    format: 'gguf',
    path: first.path,
    version: first.version,
    metadata: first.metadata,
    files: files.map((file) => ({ path: file.path, sizeBytes: file.sizeBytes })),
    tensors,
  };
}

/** The files of the split that `path` belongs to, in order; just `path` when it is whole. */
export function splitPaths(path: string): string[] {
  const match = SPLIT_NAME.exec(basename(path));
  if (match === null) return [path];
  const { stem, count } = match.groups as { stem: string; count: string };
  const numFiles = Number(count);
  if (numFiles < 1 || numFiles > MAX_SPLITS) {
    throw new InvalidCheckpointError(
      path,
      'file name',
      `names a split of ${numFiles} files, expected 1 to ${MAX_SPLITS}`,
    );
  }
  const paths = Array.from({ length: numFiles }, (_, index) =>
    join(dirname(path), `${stem}-${String(index + 1).padStart(5, '0')}-of-${count}.gguf`),
  );
  const missing = paths.filter((part) => !existsSync(part));
  if (missing.length > 0) {
    throw new InvalidCheckpointError(
      path,
      'split',
      `${missing.length} of ${numFiles} files are missing, first ${missing[0]}`,
    );
  }
  return paths;
}

function checkSplit(files: readonly GgufFile[]): void {
  const { path, metadata } = files[0] as GgufFile;
  const count = metadata.get('split.count') ?? 1;
  // A split of one, and files that were never split, may lack the key or say 0.
  if (count !== files.length && !(count === 0 && files.length === 1)) {
    const hint = 'Name one file of the split by its own name (-00001-of-0000N.gguf) with the others beside it';
    throw new InvalidCheckpointError(
      path,
      'split.count',
      `got ${String(count)}, but there is ${files.length} file. ${hint}`,
    );
  }
  files.forEach((file, index) => {
    const number = file.metadata.get('split.no');
    if (files.length > 1 && number !== index) {
      throw new InvalidCheckpointError(
        file.path,
        'split.no',
        `got ${String(number)}, expected ${index} from the file's name`,
      );
    }
  });
  const expected = metadata.get('split.tensors.count');
  const numTensors = files.reduce((sum, file) => sum + file.tensors.length, 0);
  if (expected !== undefined && expected !== numTensors) {
    throw new InvalidCheckpointError(
      path,
      'split.tensors.count',
      `got ${String(expected)}, but the files hold ${numTensors} tensors`,
    );
  }
}
