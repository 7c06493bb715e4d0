import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** A file of a cached model, as it was when its content was last checked. */
export interface CachedFile {
  readonly name: string;
  readonly sizeBytes: number;
  readonly mtimeMs: number;
  readonly sha256: string;
}

/** What the cache knows about one model. */
export interface CachedModel {
  /** As it was asked for: a catalogue name or a hub id. */
  readonly name: string;
  /** Path to open. */
  readonly path: string;
  /** Where it came from. */
  readonly source: string;
  readonly sizeBytes: number;
  readonly files: readonly CachedFile[];
}

interface Stamp {
  readonly version: 1;
  readonly name: string;
  readonly source: string;
  /** Name of the file to open; `''` is the folder itself. */
  readonly entry: string;
  readonly files: readonly CachedFile[];
}

const STAMP = 'kvasir-model.json';

/** The cache folder: `KVASIR_CACHE`, else `kvasir` in `XDG_CACHE_HOME`, else `~/.cache/kvasir`. */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  if (env['KVASIR_CACHE']) return env['KVASIR_CACHE'];
  return join(env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'kvasir');
}

/**
 * Models on disk:
 *
 * ```
 * <cache>/models/<key>/kvasir-model.json   stamp: written last, so a folder without one is an unfinished download
 * <cache>/models/<key>/<files>             beside <file>.part and <file>.part.json while one is on its way
 * <cache>/locks/<key>.lock                 held by the process that downloads <key>
 * <cache>/unreachable.json                 hosts that did not answer, and until when they are not asked again
 * ```
 */
export class ModelCache {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  /** Folder of a model. The key is its name with `--` for `/` and `+` for `:`. */
  modelFolder(name: string): string {
    return join(this.folder, 'models', cacheKey(name));
  }

  lockPath(name: string): string {
    return join(this.folder, 'locks', `${cacheKey(name)}.lock`);
  }

  /**
   * The model if it is complete and its files are the ones that were checked. Sizes and times are compared; only when a time differs (the
   * cache was copied, say) is content hashed again, and the stamp renewed.
   */
  async find(name: string): Promise<CachedModel | undefined> {
    const folder = this.modelFolder(name);
    const stamp = await readStamp(folder);
    if (stamp === undefined || stamp.name !== name) return undefined;
    const states = await Promise.all(stamp.files.map((file) => fileState(folder, file)));
    if (states.includes('different')) return undefined;
    if (states.every((state) => state === 'same')) return toCachedModel(folder, stamp);
    for (const file of stamp.files) if ((await hashFile(join(folder, file.name))) !== file.sha256) return undefined;
    return this.add(name, stamp.source, stamp.entry, stamp.files);
  }

  /** Declares the files of a model complete. */
  async add(
    name: string,
    source: string,
    entry: string,
    files: readonly { readonly name: string; readonly sha256: string }[],
  ): Promise<CachedModel> {
    const folder = this.modelFolder(name);
    const checked = await Promise.all(
      files.map(async (file) => {
        const { size, mtimeMs } = await stat(join(folder, file.name));
        return { name: file.name, sizeBytes: size, mtimeMs, sha256: file.sha256 };
      }),
    );
    const stamp: Stamp = { version: 1, name, source, entry, files: checked };
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, `${STAMP}.part`), `${JSON.stringify(stamp, undefined, 2)}\n`);
    await rename(join(folder, `${STAMP}.part`), join(folder, STAMP));
    return toCachedModel(folder, stamp);
  }

  /** Models whose files are all there in full size. */
  async list(): Promise<CachedModel[]> {
    const models = join(this.folder, 'models');
    const keys = await readdir(models).catch(() => []);
    const found = await Promise.all(keys.map((key) => readComplete(join(models, key))));
    return found.filter((model) => model !== undefined).sort((a, b) => a.name.localeCompare(b.name));
  }

  /** Deletes a model, unfinished downloads of it included. @returns Whether there was anything. */
  async remove(name: string): Promise<boolean> {
    const folder = this.modelFolder(name);
    const exists = await stat(folder).then(
      () => true,
      () => false,
    );
    // The stamp goes first, so that a removal that is cut short leaves no model that looks complete.
    await rm(join(folder, STAMP), { force: true });
    await rm(folder, { recursive: true, force: true });
    return exists;
  }
}

async function readStamp(folder: string): Promise<Stamp | undefined> {
  const text = await readFile(join(folder, STAMP), 'utf8').catch(() => undefined);
  return text === undefined ? undefined : parseStamp(text);
}

async function readComplete(folder: string): Promise<CachedModel | undefined> {
  const stamp = await readStamp(folder);
  if (stamp === undefined) return undefined;
  const states = await Promise.all(stamp.files.map((file) => fileState(folder, file)));
  return states.includes('different') ? undefined : toCachedModel(folder, stamp);
}

/** `touched` is the right size at another time: the content may be the same. */
async function fileState(folder: string, file: CachedFile): Promise<'same' | 'touched' | 'different'> {
  const found = await stat(join(folder, file.name)).catch(() => undefined);
  if (found?.size !== file.sizeBytes) return 'different';
  return found.mtimeMs === file.mtimeMs ? 'same' : 'touched';
}

async function hashFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

function cacheKey(name: string): string {
  return name
    .replaceAll('/', '--')
    .replaceAll(':', '+')
    .replaceAll(/[^\w.@+-]/g, '_')
    .replace(/^\./, '_');
}

function parseStamp(text: string): Stamp | undefined {
  try {
    const stamp = JSON.parse(text) as Stamp;
    return stamp.version === 1 && Array.isArray(stamp.files) ? stamp : undefined;
  } catch {
    return undefined;
  }
}

function toCachedModel(folder: string, { name, source, entry, files }: Stamp): CachedModel {
  const sizeBytes = files.reduce((sum, file) => sum + file.sizeBytes, 0);
  return { name, path: entry === '' ? folder : join(folder, entry), source, sizeBytes, files };
}
