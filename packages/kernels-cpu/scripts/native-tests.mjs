// Builds and runs the C++ tests of native/test without node: node scripts/native-tests.mjs [--sanitize] [--bench] [NAME...]
//   --sanitize   with AddressSanitizer and UndefinedBehaviorSanitizer
//   --bench      builds and runs the *_bench.cc files instead of the *_test.cc files
//   NAME         only files whose name starts with NAME (linear, ops, ...)
// CXX names the compiler (default g++).
// A source that needs its own compiler flags names them in its first line: `// Flags: ...`.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { arch, env, exit, pid, stderr } from 'node:process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const args = process.argv.slice(2);
const sanitize = args.includes('--sanitize');
const bench = args.includes('--bench');
const unknown = args.find((arg) => arg.startsWith('-') && arg !== '--sanitize' && arg !== '--bench');
if (unknown !== undefined) {
  stderr.write(`native-tests: unknown option ${unknown}, expected --sanitize, --bench or names of tests\n`);
  exit(2);
}
const names = args.filter((arg) => !arg.startsWith('-'));

const compiler = env['CXX'] ?? 'g++';
// Not in build/, which node-gyp empties.
const outDir = join(root, 'node_modules', '.cache', `native-tests-${basename(compiler)}${sanitize ? '-sanitize' : ''}`);
const includes = ['../../native/include', 'native/vendor/include'].map((path) => `-I${join(root, path)}`);
const common = ['-std=c++17', '-O2', '-g1', '-Wall', '-Wextra', '-ffp-contract=off', '-pthread', ...includes];
// GCC 12 warns inside its own intrinsics headers; clang does not know that warning.
common.push('-Wno-maybe-uninitialized', '-Wno-unknown-warning-option');
if (sanitize) common.push('-fsanitize=address,undefined', '-fno-sanitize-recover=all', '-fno-omit-frame-pointer');

/** Sources below `dir`, without the tests and the parts that only build against node. */
function sources(dir) {
  if (!existsSync(dir)) return [];
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) return ['test', 'binding', 'vendor'].includes(entry.name) ? [] : sources(path);
    return entry.name.endsWith('.cc') && belongsHere(path) ? [path] : [];
  });
}

function belongsHere(path) {
  return arch === 'x64' || !/_(avx2|avx512|avx512_bf16)\.cc$/.test(path);
}

function ownFlags(path) {
  const first = readFileSync(path, 'utf8').split('\n', 1)[0] ?? '';
  return first.startsWith('// Flags: ') ? first.slice('// Flags: '.length).trim().split(/\s+/) : [];
}

/** Newest change of anything a source may include; headers are few, so one time serves all. */
function newestHeader() {
  const headers = (dir) =>
    existsSync(dir)
      ? readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
          const path = join(dir, entry.name);
          return entry.isDirectory() ? headers(path) : entry.name.endsWith('.h') ? [statSync(path).mtimeMs] : [];
        })
      : [];
  return Math.max(0, ...headers(join(root, 'native')), ...headers(join(root, '../../native/include')));
}

function run(command, commandArgs) {
  return new Promise((resolve) => {
    const child = spawn(command, commandArgs, { stdio: ['ignore', 'inherit', 'inherit'] });
    child.on('error', () => resolve(1));
    child.on('exit', (code) => resolve(code ?? 1));
  });
}

/** Runs the compiler; its output appears whole or not at all, so that two runs of this script do not disturb each other. */
async function make(compilerArgs, output) {
  const partial = `${output}.${pid}`;
  const code = await run(compiler, [...common, ...compilerArgs, '-o', partial]);
  if (code !== 0) {
    stderr.write(`native-tests: ${compiler} failed on ${relative(root, output)}\n`);
    exit(1);
  }
  renameSync(partial, output);
}

const headerTime = newestHeader();

async function compile(path) {
  const object = join(outDir, `${relative(join(root, 'native'), path).replace(/[\\/]/g, '-')}.o`);
  if (
    existsSync(object) &&
    statSync(object).mtimeMs >
      Math.max(statSync(path).mtimeMs, headerTime, statSync(fileURLToPath(import.meta.url)).mtimeMs)
  ) {
    return object;
  }
  mkdirSync(dirname(object), { recursive: true });
  await make([...ownFlags(path), '-c', path], object);
  return object;
}

async function compileAll(paths) {
  const objects = [];
  const queue = [...paths];
  const worker = async () => {
    for (let path = queue.shift(); path !== undefined; path = queue.shift()) objects.push(await compile(path));
  };
  await Promise.all([worker(), worker()]);
  return objects;
}

const suffix = bench ? '_bench.cc' : '_test.cc';
const testDir = join(root, 'native', 'test');
const tests = readdirSync(testDir)
  .filter((name) => name.endsWith(suffix) && (names.length === 0 || names.some((prefix) => name.startsWith(prefix))))
  .sort();
if (tests.length === 0) {
  stderr.write(`native-tests: no *${suffix} in native/test matches ${names.join(', ') || 'anything'}\n`);
  exit(1);
}

// A test links the folder it is named after and those below it, so that a layer can be tested while a higher one is in work.
const layers = ['linear', 'ops', 'session'];
const folders = (name) => {
  const own = layers.indexOf(name.slice(0, name.indexOf('_')));
  return own === -1 ? layers : layers.slice(0, own + 1);
};

let failures = 0;
for (const name of tests) {
  const objects = await compileAll([
    ...folders(name).flatMap((folder) => sources(join(root, 'native', folder))),
    join(testDir, name),
  ]);
  const program = join(outDir, basename(name, '.cc'));
  await make(objects, program);
  const result = spawnSync(program, [], { stdio: 'inherit' });
  if (result.status !== 0) {
    failures += 1;
    stderr.write(`native-tests: ${name} failed (${result.signal ?? `exit ${result.status}`})\n`);
  }
}
exit(failures === 0 ? 0 : 1);
