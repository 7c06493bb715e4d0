// Compiles the C++ sources and tests of native/ without node, for this machine or another.
// A source that needs its own compiler flags names them in its first line: `// Flags: ...`.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { pid } from 'node:process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const native = join(root, 'native');
const headers = join(root, '../../native/include');

// A test links the folder it is named after and those below it, so that a layer can be tested while a higher one is in work.
const LAYERS = ['linear', 'ops', 'session'];

const OTHER_KERNELS = { x64: /_neon(_\w+)?\.cc$/, arm64: /_(avx2|avx512|avx512_bf16)\.cc$/ };
const NO_VECTOR_KERNELS = /_(avx2|avx512|avx512_bf16|neon|neon_\w+)\.cc$/;

export class BuildError extends Error {}

/** Paths of the sources below native/FOLDER that are built for `arch`. */
export function sourcesOf(folder, arch) {
  const isOther = OTHER_KERNELS[arch] ?? NO_VECTOR_KERNELS;
  return filesBelow(join(native, folder), '.cc').filter((path) => !isOther.test(path));
}

/** Names of the files of native/test that end in `suffix` and begin with one of `prefixes`, if any. */
export function testNames(suffix, prefixes) {
  return readdirSync(join(native, 'test'))
    .filter(
      (name) => name.endsWith(suffix) && (prefixes.length === 0 || prefixes.some((each) => name.startsWith(each))),
    )
    .sort();
}

/** Builds into a folder of its own. What is newer than its sources is kept. */
export class NativeBuilder {
  #compiler;
  #flags;
  #arch;
  #outDir;
  #newestInput;

  constructor({ compiler, flags, arch, label }) {
    this.#compiler = compiler;
    this.#arch = arch;
    // Not in build/, which node-gyp empties.
    this.#outDir = join(root, 'node_modules', '.cache', `native-tests-${label}`);
    const includes = [headers, join(native, 'vendor/include')].map((path) => `-I${path}`);
    this.#flags = ['-std=c++17', '-O2', '-Wall', '-Wextra', '-ffp-contract=off', '-pthread', ...includes, ...flags];
    // Headers are few: one time serves all. A change of flags counts as well.
    const inputs = [
      ...filesBelow(native, '.h'),
      ...filesBelow(headers, '.h'),
      ...filesBelow(join(root, 'scripts'), '.mjs'),
    ];
    this.#newestInput = Math.max(...inputs.map((path) => statSync(path).mtimeMs));
  }

  /** Compiles sources, two at a time; returns the objects. */
  async compile(paths, flags = []) {
    const objects = [];
    const queue = [...paths];
    const worker = async () => {
      for (let path = queue.shift(); path !== undefined; path = queue.shift())
        objects.push(await this.#compileOne(path, flags));
    };
    await Promise.all([worker(), worker()]);
    return objects;
  }

  /** Builds the program of a file of native/test; returns its path. */
  async test(name) {
    const own = LAYERS.indexOf(name.slice(0, name.indexOf('_')));
    const folders = own === -1 ? LAYERS : LAYERS.slice(0, own + 1);
    const sources = folders.flatMap((folder) => sourcesOf(folder, this.#arch));
    const program = join(this.#outDir, basename(name, '.cc'));
    await this.#make(await this.compile([...sources, join(native, 'test', name)]), program);
    return program;
  }

  async #compileOne(path, flags) {
    const object = join(this.#outDir, `${relative(native, path).replace(/[\\/]/g, '-')}.o`);
    if (existsSync(object) && statSync(object).mtimeMs > Math.max(statSync(path).mtimeMs, this.#newestInput))
      return object;
    mkdirSync(dirname(object), { recursive: true });
    await this.#make([...ownFlags(path), ...flags, '-c', path], object);
    return object;
  }

  /** Output appears whole or not at all, so that two runs do not disturb each other. */
  async #make(args, output) {
    const partial = `${output}.${pid}`;
    const code = await run(this.#compiler, [...this.#flags, ...args, '-o', partial]);
    if (code !== 0) throw new BuildError(`${this.#compiler} failed on ${relative(root, output)}`);
    renameSync(partial, output);
  }
}

function filesBelow(dir, extension) {
  if (!existsSync(dir)) return [];
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    const path = join(dir, entry.name);
    return entry.isDirectory() ? filesBelow(path, extension) : entry.name.endsWith(extension) ? [path] : [];
  });
}

function ownFlags(path) {
  const first = readFileSync(path, 'utf8').split('\n', 1)[0] ?? '';
  return first.startsWith('// Flags: ') ? first.slice('// Flags: '.length).trim().split(/\s+/) : [];
}

function run(command, args) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit'] });
    child.on('error', () => resolve(1));
    child.on('exit', (code) => resolve(code ?? 1));
  });
}
