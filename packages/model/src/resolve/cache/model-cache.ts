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

  /** Folder of a model. The key keeps letters, digits, `.`, `_`, `@` and `-` of its name. */
  modelFolder(name: string): string {
    return join(this.folder, 'models', cacheKey(name));
  }

  lockPath(name: string): string {
    return join(this.folder, 'locks', `${cacheKey(name)}.lock`);
  }

  /** The model if it is complete and its files are as they were when they were checked; sizes and times are compared, content is not read. */
  find(name: string): Promise<CachedModel | undefined> {
    return this.#read(this.modelFolder(name));
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

  async list(): Promise<CachedModel[]> {
    const models = join(this.folder, 'models');
    const keys = await readdir(models).catch(() => []);
    const found = await Promise.all(keys.map((key) => this.#read(join(models, key))));
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

  async #read(folder: string): Promise<CachedModel | undefined> {
    const text = await readFile(join(folder, STAMP), 'utf8').catch(() => undefined);
    if (text === undefined) return undefined;
    const stamp = parseStamp(text);
    if (stamp === undefined) return undefined;
    const intact = await Promise.all(
      stamp.files.map(async (file) => {
        const found = await stat(join(folder, file.name)).catch(() => undefined);
        return found?.size === file.sizeBytes && found.mtimeMs === file.mtimeMs;
      }),
    );
    return intact.every(Boolean) ? toCachedModel(folder, stamp) : undefined;
  }
}

function cacheKey(name: string): string {
  return name
    .replaceAll('/', '--')
    .replaceAll(/[^\w.@-]/g, '_')
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
