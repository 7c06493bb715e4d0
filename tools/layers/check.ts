import { isBuiltin } from 'node:module';
import { posix } from 'node:path';
import type { Arrow } from './arrows.js';
import type { ImportStatement } from './imports.js';
import type { SourceFile, WorkspacePackage } from './workspace.js';

export interface LayerViolation {
  readonly rule:
    | 'unknown-package' // a folder without a row in the table
    | 'forbidden-dependency' // package.json against the arrows
    | 'forbidden-import' // src against the arrows
    | 'static-kernels' // a package that may only be loaded by import()
    | 'testing-in-src'
    | 'undeclared-import' // works by npm's hoisting only
    | 'deep-import' // a path that `exports` does not name
    | 'escaping-import' // a relative path out of the package
    | 'unused-dependency'; // a sibling that package.json names and src does not
  /** Folder name under packages/. */
  readonly package: string;
  readonly file: string;
  readonly target: string;
}

interface Context {
  readonly arrows: Readonly<Record<string, Arrow>>;
  readonly siblings: ReadonlyMap<string, WorkspacePackage>;
  readonly rootDevDependencies: readonly string[];
}

/**
 * Compares manifests and imports with the arrows.
 * @returns All violations, in the order of the packages; empty when the graph holds.
 */
export function checkLayers(
  packages: readonly WorkspacePackage[],
  arrows: Readonly<Record<string, Arrow>>,
  rootDevDependencies: readonly string[] = [],
): LayerViolation[] {
  const siblings = new Map(packages.map((each) => [each.name, each]));
  const context = { arrows, siblings, rootDevDependencies };
  return packages.flatMap((each) => {
    const arrow = arrows[each.directory];
    if (arrow === undefined) return [violation('unknown-package', each, 'package.json', each.directory)];
    return [
      ...checkManifest(each, arrow, context),
      ...each.files.flatMap((file) =>
        file.imports.flatMap((statement) => checkImport(each, arrow, file, statement, context)),
      ),
    ];
  });
}

function checkManifest(owner: WorkspacePackage, arrow: Arrow, { siblings }: Context): LayerViolation[] {
  const allowed = new Set([...arrow.imports, ...(arrow.dynamic ?? [])]);
  const sources = owner.files.filter((file) => file.path.startsWith('src/'));
  const imported = new Set(sources.flatMap((file) => file.imports.map((each) => packageName(each.specifier))));
  return owner.dependencies.flatMap((name) => {
    const sibling = siblings.get(name);
    if (sibling === undefined) return [];
    if (!allowed.has(sibling.directory)) return [violation('forbidden-dependency', owner, 'package.json', name)];
    return imported.has(name) ? [] : [violation('unused-dependency', owner, 'package.json', name)];
  });
}

function checkImport(
  owner: WorkspacePackage,
  arrow: Arrow,
  file: SourceFile,
  { specifier, kind }: ImportStatement,
  context: Context,
): LayerViolation[] {
  const report = (rule: LayerViolation['rule']): LayerViolation[] => [violation(rule, owner, file.path, specifier)];
  if (specifier.startsWith('.')) {
    const resolved = posix.join(posix.dirname(file.path), specifier);
    return resolved.startsWith('..') ? report('escaping-import') : [];
  }
  if (isBuiltin(specifier)) return [];

  const isSource = file.path.startsWith('src/');
  const name = packageName(specifier);
  const sibling = context.siblings.get(name);
  if (sibling !== undefined) {
    const subpath = `.${specifier.slice(name.length)}`;
    if (!sibling.exports.includes(subpath)) return report('deep-import');
    if (isSource && sibling !== owner) {
      if (sibling.directory === 'testing') return report('testing-in-src');
      if (arrow.dynamic?.includes(sibling.directory)) {
        if (kind === 'static') return report('static-kernels');
      } else if (!arrow.imports.includes(sibling.directory)) return report('forbidden-import');
    }
  }
  const declared = [owner.name, ...owner.dependencies];
  if (!isSource || owner.directory === 'testing') {
    declared.push(...owner.devDependencies, ...context.rootDevDependencies);
  }
  return declared.includes(name) ? [] : report('undeclared-import');
}

function packageName(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

function violation(
  rule: LayerViolation['rule'],
  owner: WorkspacePackage,
  file: string,
  target: string,
): LayerViolation {
  return { rule, package: owner.directory, file, target };
}
