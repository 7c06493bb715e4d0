import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { checkCompiler, fail } from './check-machine.mjs';
import { nxCommand } from './nx.mjs';

const STAMP = ['node_modules', '.cache', 'kvasir', 'build-stamp'];

/** Builds all packages, unless no source has changed since the last build. */
export function ensureBuilt(root) {
  const stampPath = join(root, ...STAMP);
  const stamp = fingerprint(root);
  if (existsSync(stampPath) && readFileSync(stampPath, 'utf8') === stamp && hasOutputs(root)) return;

  checkCompiler();
  console.log('Building (minutes the first time, then only what changed) ...');
  const args = [nxCommand(root), 'run-many', '-t', 'build', 'build:native'];
  const result = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8', maxBuffer: 2 ** 28 });
  if (result.status !== 0) {
    process.stderr.write(`${result.stdout ?? ''}${result.stderr ?? ''}`);
    fail('The build failed: see the messages above.');
  }
  mkdirSync(dirname(stampPath), { recursive: true });
  writeFileSync(stampPath, stamp);
}

/** Sizes and times of all that a build reads: a few hundred `stat` calls in place of starting nx. */
function fingerprint(root) {
  const hash = createHash('sha256').update([process.platform, process.arch, process.versions.modules].join());
  const inputs = ['package-lock.json', 'tsconfig.base.json', 'native', 'tools/tsup', 'tools/native'];
  for (const directory of packageDirectories(root)) {
    for (const input of ['package.json', 'tsconfig.json', 'tsup.config.ts', 'binding.gyp', 'src', 'native']) {
      inputs.push(join(directory, input));
    }
  }
  for (const input of inputs) {
    for (const path of filesUnder(join(root, input))) {
      const { size, mtimeMs } = statSync(path);
      hash.update(`${path}\0${size}\0${mtimeMs}\n`);
    }
  }
  return hash.digest('hex');
}

function hasOutputs(root) {
  return packageDirectories(root).every((directory) => {
    const { scripts = {} } = JSON.parse(readFileSync(join(root, directory, 'package.json'), 'utf8'));
    const hasBuild = scripts.build === undefined || existsSync(join(root, directory, 'dist', 'index.js'));
    const release = join(root, directory, 'build', 'Release');
    const hasNative =
      scripts['build:native'] === undefined ||
      (existsSync(release) && readdirSync(release).some((name) => name.endsWith('.node')));
    return hasBuild && hasNative;
  });
}

function packageDirectories(root) {
  return readdirSync(join(root, 'packages'))
    .map((name) => join('packages', name))
    .filter((directory) => existsSync(join(root, directory, 'package.json')));
}

function filesUnder(path) {
  if (!existsSync(path)) return [];
  if (statSync(path).isFile()) return [path];
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}
