import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { PublishedPackage } from './packages.js';

const VENDOR_HEADERS = fileURLToPath(new URL('../native/vendor-headers.mjs', import.meta.url));

export interface RunResult {
  readonly status: number | null;
  /** stdout and stderr. */
  readonly output: string;
}

/**
 * Packs a package into `folder`, as `npm publish` would.
 * @remarks An addon is packed from a copy, with the binary that was built here in place of the released ones.
 * @returns The path of the tarball.
 */
export function packTarball({ path, directory, name, hasAddon }: PublishedPackage, folder: string): string {
  const source = hasAddon ? copyWithPrebuild(path, directory, folder) : path;
  const result = run('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', folder], source);
  if (result.status !== 0) throw new Error(`npm pack of ${name} failed:\n${result.output}`);
  const prefix = `${name.replace('@', '').replace('/', '-')}-`;
  const tarball = readdirSync(folder).find(
    (file) => file.startsWith(prefix) && /^\d.*\.tgz$/.test(file.slice(prefix.length)),
  );
  if (tarball === undefined) throw new Error(`npm pack of ${name} wrote no ${prefix}*.tgz`);
  return join(folder, tarball);
}

/** Makes a project that has nothing but the given tarballs and what they depend on. */
export function createProject(path: string, tarballs: ReadonlyMap<string, string>): void {
  mkdirSync(path, { recursive: true });
  const dependencies = Object.fromEntries([...tarballs].map(([name, tarball]) => [name, `file:${tarball}`]));
  writeFileSync(join(path, 'package.json'), JSON.stringify({ name: 'consumer', private: true, dependencies }));
  const flags = ['--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error'];
  const result = run('npm', ['install', ...flags], path);
  if (result.status !== 0) throw new Error(`npm install in ${path} failed:\n${result.output}`);
}

export function run(command: string, args: readonly string[], cwd: string): RunResult {
  // Vitest's own NODE_OPTIONS and npm's settings of the outer run must not leak into a consumer.
  const outer = Object.entries(process.env).filter(([name]) => !/^(npm_|NODE_OPTIONS$|VITEST)/i.test(name));
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd,
    encoding: 'utf8',
    env: Object.fromEntries(outer),
    maxBuffer: 2 ** 26,
    shell: process.platform === 'win32',
  });
  if (error !== undefined) throw error;
  return { status, output: `${stdout}${stderr}` };
}

function copyWithPrebuild(path: string, directory: string, folder: string): string {
  const copy = join(folder, `${directory}-with-prebuild`);
  const release = join(path, 'build', 'Release');
  const binaries = existsSync(release) ? readdirSync(release).filter((file) => file.endsWith('.node')) : [];
  if (binaries.length === 0) throw new Error(`${release} holds no .node file: run npm run build:native`);
  cpSync(path, copy, { recursive: true, filter: (from) => !/[\\/](node_modules|build|prebuilds)$/.test(from) });
  const vendor = run(process.execPath, [VENDOR_HEADERS, copy], path);
  if (vendor.status !== 0) throw new Error(vendor.output);
  const prebuilds = join(copy, 'prebuilds', `${process.platform}-${process.arch}`);
  mkdirSync(prebuilds, { recursive: true });
  for (const binary of binaries)
    cpSync(join(release, binary), join(prebuilds, binary.replace(/\.node$/, '.napi.node')));
  return copy;
}
