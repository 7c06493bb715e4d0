// The C++ tests of native/test built for AArch64 and run under an emulator: node scripts/cross-tests.mjs [NAME...]
//   NAME   only files whose name starts with NAME (linear, ops, ...)
// CXX_ARM64 names the cross compiler (default aarch64-linux-gnu-g++), QEMU_ARM64 the emulator (default qemu-aarch64-static or
// qemu-aarch64). Without one of them nothing runs, and the script says so. Subjects are smaller than in `npm run test:native`.
import { spawn, spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { argv, execPath, exit, stderr, stdout } from 'node:process';
import { findCrossTools } from '../../../tools/native/cross-tools.mjs';
import { headerArguments } from '../../../tools/native/header-arguments.mjs';
import { innerLoopsOfArm64 } from './arm64-loops.mjs';
import { BuildError, NativeBuilder, sourcesOf, testNames } from './native-build.mjs';

const names = argv.slice(2);
const unknown = names.find((name) => name.startsWith('-'));
if (unknown !== undefined) {
  stderr.write(`cross-tests: unknown option ${unknown}, expected names of tests\n`);
  exit(2);
}

const { compiler, emulator, missing } = findCrossTools();
if (missing.length > 0) {
  stdout.write(`cross-tests: SKIPPED, the arm64 kernels were neither built nor run: no ${missing.join(' and no ')}\n`);
  exit(0);
}

// Emulated processors and the linear kernels that they must have: one of old, and one of everything. Ops have one path on both.
const OLD = { cpu: 'cortex-a53', paths: 'scalar neon' };
const NEW = { cpu: 'max', paths: 'scalar neon neon-dotprod' };

const builder = new NativeBuilder({ compiler, flags: ['-static', '-DKVASIR_EMULATED'], arch: 'arm64', label: 'arm64' });
const startedAt = performance.now();
let failures = 0;
try {
  await compileBinding();
  await checkLoops();
  const runs = [];
  for (const name of testNames('_test.cc', names)) {
    const program = await builder.test(name);
    for (const processor of name.startsWith('linear') || name.startsWith('session') ? [OLD, NEW] : [NEW])
      runs.push({ name, program, processor });
  }
  const worker = async () => {
    for (let run = runs.shift(); run !== undefined; run = runs.shift()) await check(run);
  };
  await Promise.all([worker(), worker()]);
} catch (error) {
  if (!(error instanceof BuildError)) throw error;
  stderr.write(`cross-tests: ${error.message}\n`);
  exit(1);
}
stdout.write(`cross-tests: ${((performance.now() - startedAt) / 1000).toFixed(1)} s, ${failures} failures\n`);
exit(failures === 0 ? 0 : 1);

/** Kernels keep their accumulators in registers: no vector goes to the stack or comes from it in the loop over groups. */
async function checkLoops() {
  const objdump = compiler.replace(/g\+\+(-\d+)?$/, 'objdump');
  const sources = sourcesOf('linear/isa', 'arm64').filter((path) => path.includes('_neon'));
  let numKernels = 0;
  for (const object of await builder.compile(sources)) {
    const { stdout: text, status } = spawnSync(objdump, ['-dC', '--no-show-raw-insn', object], {
      encoding: 'utf8',
      maxBuffer: 2 ** 28,
    });
    if (status !== 0) {
      stdout.write(`cross-tests: loops are not checked: no ${objdump}\n`);
      return;
    }
    for (const [name, loops] of innerLoopsOfArm64(text)) {
      if (!/_tile</.test(name)) continue;
      numKernels += 1;
      for (const { numProducts, numStackMoves } of loops) {
        if (numProducts < 8 || numStackMoves === 0) continue;
        failures += 1;
        stderr.write(`cross-tests: ${numStackMoves} vectors spill in a loop of ${numProducts} products of ${name}\n`);
      }
    }
  }
  if (numKernels < 100) {
    failures += 1;
    stderr.write(
      `cross-tests: ${numKernels} kernels with loops, expected at least 100: the disassembly was not understood\n`,
    );
  }
  stdout.write(`cross-tests: loops of ${numKernels} kernels use no stack\n`);
}

async function check({ name, program, processor: { cpu, paths } }) {
  const { code, output } = await emulate(cpu, program);
  stdout.write(output.trimEnd().replace(/^/gm, `[${cpu}] `).concat('\n'));
  const listed = /^paths: (.*)$/m.exec(output)?.[1];
  if (code === 0 && (listed === undefined || listed === paths)) return;
  failures += 1;
  const reason = code === 0 ? `found the paths ${listed}, expected ${paths}` : `failed (${code})`;
  stderr.write(`cross-tests: ${name} on ${cpu} ${reason}\n`);
}

/** What the program printed, and its exit code or the signal that ended it. */
function emulate(cpu, program) {
  return new Promise((resolve) => {
    const child = spawn(emulator, ['-cpu', cpu, program], { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text) => (output += text));
    child.on('error', (error) => resolve({ code: error.message, output }));
    child.on('close', (code, signal) => resolve({ code: code ?? signal, output }));
  });
}

/** The files that include napi.h, as objects: enough to know that they build for arm64. */
async function compileBinding() {
  const prefix = dirname(dirname(execPath));
  if (headerArguments(prefix).length === 0) {
    stdout.write('cross-tests: native/binding was not compiled: no headers of node beside its executable\n');
    return;
  }
  const addonApi = dirname(createRequire(import.meta.url).resolve('node-addon-api/package.json'));
  const includes = [join(prefix, 'include/node'), addonApi].map((path) => `-I${path}`);
  const sources = sourcesOf('binding', 'arm64');
  await builder.compile(sources, [...includes, '-DNAPI_CPP_EXCEPTIONS', '-O0']);
  stdout.write(`cross-tests: ${sources.length} files of native/binding compile for arm64\n`);
}
