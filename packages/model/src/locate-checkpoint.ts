import { readdir, stat } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import { UnsupportedError } from '@kvasir/interfaces';
import { splitPaths } from './checkpoint/gguf/read-gguf-checkpoint.js';
import { readShardIndex, SAFETENSORS_INDEX } from './checkpoint/safetensors/read-safetensors-checkpoint.js';
import { InvalidCheckpointError } from './errors.js';

/** The file that stands for a checkpoint. */
export interface CheckpointLocation {
  readonly format: 'gguf' | 'safetensors';
  readonly path: string;
}

const PICKLE = new Set(['.bin', '.pt', '.pth', '.ckpt', '.pkl']);

/**
 * Decides what `path` is: a GGUF or safetensors file, or a folder that holds a model.
 * @throws {@link InvalidCheckpointError} If there is nothing to open there.
 * @throws `UnsupportedError` For pickle files, which may run code when they are read.
 */
export async function locateCheckpoint(path: string): Promise<CheckpointLocation> {
  const found = await stat(path).catch((cause: NodeJS.ErrnoException) => {
    const problem = cause.code === 'ENOENT' ? 'does not exist' : `cannot be read (${cause.code})`;
    throw new InvalidCheckpointError(
      path,
      'path',
      `${problem}; expected a .gguf file, a .safetensors file or a folder with config.json`,
      { cause },
    );
  });
  return found.isDirectory() ? locateInFolder(path, await readdir(path)) : locateFile(path);
}

function locateFile(path: string): CheckpointLocation {
  const extension = extname(path).toLowerCase();
  if (PICKLE.has(extension)) throw pickle(path, basename(path));
  if (extension === '.safetensors') return { format: 'safetensors', path };
  // Anything else is tried as GGUF: caches store files under names without an ending, and the magic number decides.
  return { format: 'gguf', path };
}

function locateInFolder(folder: string, names: readonly string[]): CheckpointLocation {
  if (names.includes(SAFETENSORS_INDEX)) {
    const [shard] = readShardIndex(join(folder, SAFETENSORS_INDEX)).values();
    return { format: 'safetensors', path: join(folder, shard as string) };
  }
  const safetensors = names.filter((name) => name.endsWith('.safetensors'));
  const single = safetensors.includes('model.safetensors') ? 'model.safetensors' : only(folder, safetensors);
  if (single !== undefined) return { format: 'safetensors', path: join(folder, single) };
  const gguf = names.filter((name) => name.endsWith('.gguf') && !/-\d{5}-of-\d{5}\.gguf$/.test(name));
  const splits = names.filter((name) => /-00001-of-\d{5}\.gguf$/.test(name));
  const model = only(folder, [...gguf, ...splits]);
  if (model !== undefined) return { format: 'gguf', path: splitPaths(join(folder, model))[0] as string };
  const unsafe = names.find((name) => PICKLE.has(extname(name)));
  if (unsafe !== undefined) throw pickle(folder, unsafe);
  throw new InvalidCheckpointError(folder, 'folder', 'holds no *.safetensors and no *.gguf file');
}

function only(folder: string, names: readonly string[]): string | undefined {
  if (names.length <= 1) return names[0];
  throw new InvalidCheckpointError(
    folder,
    'folder',
    `holds ${names.length} models (${names.slice(0, 5).join(', ')}); name one file`,
  );
}

function pickle(path: string, name: string): UnsupportedError {
  return new UnsupportedError(
    'pickle checkpoints',
    `${path}: ${name} is a pickle file, which can run code when it is read. Use the model's safetensors or GGUF files`,
  );
}
