import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { ARROWS } from '../layers/arrows.js';
import { checkLayers } from '../layers/check.js';
import { parseImports } from '../layers/imports.js';
import { readRootDevDependencies, readWorkspace, type WorkspacePackage } from '../layers/workspace.js';

const root = fileURLToPath(new URL('../../', import.meta.url));

describe('the workspace', () => {
  const packages = readWorkspace(root);

  it('is read as a whole', () => {
    expect(packages.map((each) => each.directory)).toEqual(expect.arrayContaining(['interfaces', 'engine', 'cli']));
    const numImports = packages.flatMap((each) => each.files.flatMap((file) => file.imports)).length;
    expect(numImports).toBeGreaterThan(10);
  });

  it('keeps to the arrows', () => {
    expect(checkLayers(packages, ARROWS, readRootDevDependencies(root))).toEqual([]);
  });
});

describe('checkLayers', () => {
  it('accepts a graph that follows the arrows', () => {
    const packages = workspace({
      engine: { dependencies: ['scheduler'], 'src/loop.ts': `import { schedule } from '@kvasir/scheduler';` },
      cli: {
        dependencies: ['kernels-cpu'],
        'src/backend.ts': `import type { A } from '@kvasir/kernels-cpu'; await import('@kvasir/kernels-cpu');`,
      },
      scheduler: { devDependencies: ['block-manager'], 'test/a.test.ts': `import '@kvasir/block-manager';` },
    });
    expect(checkLayers(packages, ARROWS)).toEqual([]);
  });

  it.each([
    [
      'a sibling in package.json',
      'forbidden-dependency',
      { scheduler: { dependencies: ['block-manager'], 'src/a.ts': `import '@kvasir/block-manager';` } },
    ],
    ['a sibling in src', 'forbidden-import', { tokenizer: { 'src/a.ts': `export { x } from '@kvasir/quant';` } }],
    [
      'kernels in the engine, even dynamically',
      'forbidden-import',
      { engine: { 'src/a.ts': `await import('@kvasir/kernels-cpu');` } },
    ],
    [
      'kernels in the engine, even as a type',
      'forbidden-import',
      { engine: { 'src/a.ts': `import type { X } from '@kvasir/kernels-cpu';` } },
    ],
    [
      'kernels in the cli, statically',
      'static-kernels',
      { cli: { dependencies: ['kernels-cpu'], 'src/a.ts': `import { x } from '@kvasir/kernels-cpu';` } },
    ],
    ['testing in src', 'testing-in-src', { model: { 'src/a.ts': `import { x } from '@kvasir/testing';` } }],
    [
      'an undeclared sibling',
      'undeclared-import',
      { model: { 'src/a.ts': `import { x } from '@kvasir/interfaces';` } },
    ],
    ['an undeclared package', 'undeclared-import', { model: { 'src/a.ts': `import x from 'left-pad';` } }],
    [
      'a development dependency in src',
      'undeclared-import',
      { model: { devDependencies: ['quant'], 'src/a.ts': `import { x } from '@kvasir/quant';` } },
    ],
    [
      'an undeclared sibling in a test',
      'undeclared-import',
      { model: { 'test/a.test.ts': `import '@kvasir/quant';` } },
    ],
    [
      'a path that exports does not name',
      'deep-import',
      { model: { dependencies: ['quant'], 'src/a.ts': `import '@kvasir/quant'; import '@kvasir/quant/src/x.js';` } },
    ],
    ['a path out of the package', 'escaping-import', { model: { 'src/a.ts': `import '../../quant/src/x.js';` } }],
    ['a sibling that is declared but not used', 'unused-dependency', { model: { dependencies: ['quant'] } }],
    ['a package without a row', 'unknown-package', { mystery: {} }],
  ])('finds %s', (_, rule, packages) => {
    expect(checkLayers(workspace(packages), ARROWS).map((each) => each.rule)).toContain(rule);
  });
});

describe('parseImports', () => {
  it('tells static, dynamic and type imports apart', () => {
    const text = `
      import a from 'a';
      import type { B } from 'b';
      export { c } from 'c';
      export type { D } from 'd';
      type E = import('e').E;
      const f = await import('f');
      const g = require('g');
      import 'h';
      // import 'not-this';
      const text = "import 'nor-this'";`;
    expect(parseImports('x.ts', text)).toEqual([
      { specifier: 'a', kind: 'static' },
      { specifier: 'b', kind: 'type' },
      { specifier: 'c', kind: 'static' },
      { specifier: 'd', kind: 'type' },
      { specifier: 'e', kind: 'type' },
      { specifier: 'f', kind: 'dynamic' },
      { specifier: 'g', kind: 'static' },
      { specifier: 'h', kind: 'static' },
    ]);
  });
});

type MadeUpPackage = { dependencies?: string[]; devDependencies?: string[] } & Record<string, string | string[]>;

/** A workspace in memory: all rows of the table exist, and the given ones have manifests and sources. */
function workspace(given: Record<string, object>): WorkspacePackage[] {
  const directories = new Set([...Object.keys(ARROWS), ...Object.keys(given)]);
  return [...directories].map((directory) => {
    const { dependencies = [], devDependencies = [], ...files } = (given[directory] ?? {}) as MadeUpPackage;
    return {
      directory,
      name: packageNameOf(directory),
      dependencies: dependencies.map(packageNameOf),
      devDependencies: devDependencies.map(packageNameOf),
      exports: ['.', './package.json'],
      files: Object.entries(files).map(([path, text]) => ({ path, imports: parseImports(path, String(text)) })),
    };
  });
}

function packageNameOf(directory: string): string {
  return directory === 'cli' ? 'kvasir' : `@kvasir/${directory}`;
}
