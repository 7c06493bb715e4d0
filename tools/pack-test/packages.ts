import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseImports } from '../layers/imports.js';

/** A package as it would be published. */
export interface PublishedPackage {
  /** Folder name under packages/. */
  readonly directory: string;
  readonly path: string;
  readonly name: string;
  /** Siblings that its manifest names. */
  readonly siblings: readonly string[];
  readonly hasBin: boolean;
  readonly hasAddon: boolean;
  /** Whether src/index.ts exports anything yet. */
  readonly hasExports: boolean;
}

interface Manifest {
  readonly name: string;
  readonly private?: boolean;
  readonly bin?: unknown;
  readonly dependencies?: Record<string, string>;
}

/** Every package under packages/ that is not private. */
export function readPublishedPackages(root: string): PublishedPackage[] {
  const manifests = readdirSync(join(root, 'packages'))
    .map((directory) => ({ directory, path: join(root, 'packages', directory) }))
    .filter(({ path }) => existsSync(join(path, 'package.json')))
    .map((each) => ({
      ...each,
      manifest: JSON.parse(readFileSync(join(each.path, 'package.json'), 'utf8')) as Manifest,
    }))
    .filter(({ manifest }) => manifest.private !== true);
  const names = new Set(manifests.map(({ manifest }) => manifest.name));
  return manifests.map(({ directory, path, manifest }) => ({
    directory,
    path,
    name: manifest.name,
    siblings: Object.keys(manifest.dependencies ?? {}).filter((name) => names.has(name)),
    hasBin: manifest.bin !== undefined,
    hasAddon: existsSync(join(path, 'binding.gyp')),
    hasExports: /^export (?!\{\};)/m.test(readFileSync(join(path, 'src', 'index.ts'), 'utf8')),
  }));
}

/**
 * The packages of this workspace that a project needs which runs `example`: the package, what the example imports, and
 * all that these depend on.
 */
export function neededFor(
  owner: PublishedPackage,
  example: string | undefined,
  packages: readonly PublishedPackage[],
): PublishedPackage[] {
  const byName = new Map(packages.map((each) => [each.name, each]));
  const imported = example === undefined ? [] : parseImports('example.mjs', example).map((each) => each.specifier);
  const needed = new Set<PublishedPackage>();
  const visit = (name: string): void => {
    const found = byName.get(name);
    if (found === undefined || needed.has(found)) return;
    needed.add(found);
    found.siblings.forEach(visit);
  };
  [owner.name, ...imported].forEach(visit);
  return [...needed];
}
