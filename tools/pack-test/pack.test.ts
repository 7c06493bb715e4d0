import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { toCommonJs } from './cjs-twin.js';
import { neededFor, type PublishedPackage, readPublishedPackages } from './packages.js';
import { createProject, packTarball, run } from './project.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const packages = readPublishedPackages(root);
const folder = mkdtempSync(join(tmpdir(), 'kvasir-pack-'));
const tarballs = new Map<string, string>();

beforeAll(() => {
  for (const each of packages) tarballs.set(each.name, packTarball(each, folder));
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

describe.each(packages.map((each) => [each.name, each] as const))('%s', (name, owner) => {
  const project = join(folder, `project-${owner.directory}`);
  const example = readExample(owner);

  beforeAll(() => {
    const needed = neededFor(owner, example, packages);
    createProject(project, new Map(needed.map((each) => [each.name, tarballs.get(each.name) as string])));
  });

  if (owner.hasExports && !owner.hasBin) {
    it('has an example of at most 40 lines', () => {
      expect(example, `examples/${owner.directory}.mjs is missing`).toBeDefined();
      expect(example?.trimEnd().split('\n').length).toBeLessThanOrEqual(40);
      expect(example).toContain(`'${name}'`);
    });
  }

  it('exports the same names to import and to require', () => {
    const imported = run(
      process.execPath,
      ['--input-type=module', '--eval', namesOf(`await import('${name}')`)],
      project,
    );
    const required = run(process.execPath, ['--input-type=commonjs', '--eval', namesOf(`require('${name}')`)], project);
    expect(imported).toMatchObject({ status: 0 });
    expect(required).toEqual(imported);
  });

  it('is CommonJS for require', () => {
    const script = `console.log(require.resolve('${name}').slice(-9))`;
    const resolved = run(process.execPath, ['--input-type=commonjs', '--eval', script], project);
    expect(resolved).toEqual({ status: 0, output: 'index.cjs\n' });
  });

  if (example !== undefined) {
    it('runs its example as ESM', () => {
      writeFileSync(join(project, 'example.mjs'), example);
      expect(run(process.execPath, ['example.mjs'], project)).toMatchObject({ status: 0 });
    });

    it('runs its example as CommonJS', () => {
      writeFileSync(join(project, 'example.cjs'), toCommonJs(`${owner.directory}.mjs`, example));
      expect(run(process.execPath, ['example.cjs'], project)).toMatchObject({ status: 0 });
    });
  }

  if (owner.hasExports && owner.hasBin) {
    it('runs its command', () => {
      const result = run('npm', ['exec', '--no', '--', name, '--help'], project);
      expect(result).toMatchObject({ status: 0, output: expect.stringContaining('serve') });
    });
  }
});

function readExample({ directory }: PublishedPackage): string | undefined {
  const path = join(root, 'examples', `${directory}.mjs`);
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
}

/** `module.exports` is what newer versions of Node add to the namespace of a CommonJS module. */
function namesOf(module: string): string {
  return `const names = Object.keys(${module}).filter((name) => !['default', 'module.exports'].includes(name));
console.log(names.sort().join());`;
}
