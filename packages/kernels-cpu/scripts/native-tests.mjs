// Builds and runs the C++ tests of native/test without node: node scripts/native-tests.mjs [--sanitize] [--bench] [NAME...]
//   --sanitize   with AddressSanitizer and UndefinedBehaviorSanitizer
//   --bench      builds and runs the *_bench.cc files instead of the *_test.cc files
//   NAME         only files whose name starts with NAME (linear, ops, ...)
// CXX names the compiler (default g++).
import { spawnSync } from 'node:child_process';
import { basename } from 'node:path';
import { arch, argv, env, exit, stderr } from 'node:process';
import { BuildError, NativeBuilder, testNames } from './native-build.mjs';

const args = argv.slice(2);
const sanitize = args.includes('--sanitize');
const bench = args.includes('--bench');
const unknown = args.find((arg) => arg.startsWith('-') && arg !== '--sanitize' && arg !== '--bench');
if (unknown !== undefined) {
  stderr.write(`native-tests: unknown option ${unknown}, expected --sanitize, --bench or names of tests\n`);
  exit(2);
}
const names = args.filter((arg) => !arg.startsWith('-'));

const compiler = env['CXX'] ?? 'g++';
// GCC 12 warns inside its own intrinsics headers; clang does not know that warning.
const flags = ['-g1', '-Wno-maybe-uninitialized', '-Wno-unknown-warning-option'];
if (sanitize) flags.push('-fsanitize=address,undefined', '-fno-sanitize-recover=all', '-fno-omit-frame-pointer');
const builder = new NativeBuilder({
  compiler,
  flags,
  arch,
  label: `${basename(compiler)}${sanitize ? '-sanitize' : ''}`,
});

const suffix = bench ? '_bench.cc' : '_test.cc';
const tests = testNames(suffix, names);
if (tests.length === 0) {
  stderr.write(`native-tests: no *${suffix} in native/test matches ${names.join(', ') || 'anything'}\n`);
  exit(1);
}

let failures = 0;
for (const name of tests) {
  try {
    const result = spawnSync(await builder.test(name), [], { stdio: 'inherit' });
    if (result.status === 0) continue;
    stderr.write(`native-tests: ${name} failed (${result.signal ?? `exit ${result.status}`})\n`);
  } catch (error) {
    if (!(error instanceof BuildError)) throw error;
    stderr.write(`native-tests: ${error.message}\n`);
    exit(1);
  }
  failures += 1;
}
exit(failures === 0 ? 0 : 1);
