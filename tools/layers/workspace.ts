import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { type ImportStatement, parseImports } from './imports.js';

/** One package as the layer check sees it. */
export interface WorkspacePackage {
  /** Folder name under packages/. */
  readonly directory: string;
  readonly name: string;
  /** What its consumers install: dependencies, peerDependencies and optionalDependencies. */
  readonly dependencies: readonly string[];
  readonly devDependencies: readonly string[];
  /** Subpaths of `exports`, e.g. `.` and `./simulate`. */
  readonly exports: readonly string[];
  readonly files: readonly SourceFile[];
}

export interface SourceFile {
  /** Relative to the package, with forward slashes, e.g. `src/index.ts`. */
  readonly path: string;
  readonly imports: readonly ImportStatement[];
}

interface Manifest {
  readonly name: string;
  readonly exports?: Record<string, unknown>;
  readonly dependencies?: Record<string, string>;
  readonly devDependencies?: Record<string, string>;
  readonly optionalDependencies?: Record<string, string>;
  readonly peerDependencies?: Record<string, string>;
}

/** Reads every package under `<root>/packages`, with the imports of all its sources and tests. */
export function readWorkspace(root: string): WorkspacePackage[] {
  return readdirSync(join(root, 'packages'))
    .filter((directory) => existsSync(join(root, 'packages', directory, 'package.json')))
    .map((directory) => readPackage(join(root, 'packages', directory), directory));
}

/** Names that every test may import because the root installs them. */
export function readRootDevDependencies(root: string): string[] {
  return Object.keys(readManifest(root).devDependencies ?? {});
}

function readPackage(path: string, directory: string): WorkspacePackage {
  const manifest = readManifest(path);
  return {
    directory,
    name: manifest.name,
    dependencies: Object.keys({
      ...manifest.dependencies,
      ...manifest.optionalDependencies,
      ...manifest.peerDependencies,
    }),
    devDependencies: Object.keys(manifest.devDependencies ?? {}),
    exports: Object.keys(manifest.exports ?? {}),
    files: ['src', 'test'].flatMap((folder) => readSources(path, folder)),
  };
}

function readSources(path: string, folder: string): SourceFile[] {
  if (!existsSync(join(path, folder))) return [];
  return readdirSync(join(path, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.[cm]?ts$/.test(entry.name))
    .map((entry) => {
      const file = join(entry.parentPath, entry.name);
      return {
        path: relative(path, file).replaceAll('\\', '/'),
        imports: parseImports(file, readFileSync(file, 'utf8')),
      };
    });
}

function readManifest(path: string): Manifest {
  return JSON.parse(readFileSync(join(path, 'package.json'), 'utf8')) as Manifest;
}
