// Instructions an output of the AVX2 kernels in the built objects, counted by callgrind: prints {"u4 1": 123.4, ...} as JSON (layout, rows).
// Prints {"skipped": reason} where there is no valgrind, no compiler or no build of an x86-64 Linux.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { arch, env, exit, platform, stderr, stdout } from 'node:process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const release = join(root, 'build', 'Release');
const compiler = env['CXX'] ?? 'g++';

function skip(reason) {
  stdout.write(`${JSON.stringify({ skipped: reason })}\n`);
  exit(0);
}

function run(command, args, cwd) {
  const result = spawnSync(command, args, { cwd, encoding: 'utf8' });
  if (result.status === 0) return result.stdout;
  stderr.write(`kernel-counts: ${command} failed\n${result.stderr}`);
  exit(1);
}

if (platform !== 'linux' || arch !== 'x64') skip('counts are for x86-64 Linux');
for (const tool of ['valgrind', compiler]) {
  if (spawnSync(tool, ['--version']).status !== 0) skip(`there is no ${tool} here`);
}
const objects = join(release, 'obj.target', 'kernels_cpu', 'native', 'linear');
if (!existsSync(objects)) skip('the addon was not built here');

const scratch = mkdtempSync(join(tmpdir(), 'kernel-counts-'));
try {
  const program = join(scratch, 'linear_count');
  const archives = ['scalar', 'avx2', 'avx512', 'avx512_bf16'].map((name) => join(release, `kernels_${name}.a`));
  const inputs = readdirSync(objects).filter((name) => name.endsWith('.o'));
  const includes = [join(root, '../../native/include'), join(root, 'native/vendor/include')].map((path) => `-I${path}`);
  run(compiler, [
    ...['-std=c++17', '-O1', '-Wno-maybe-uninitialized', ...includes, join(root, 'native/test/linear_count.cc')],
    ...[...inputs.map((name) => join(objects, name)), ...archives, '-o', program],
  ]);
  const counted = ['--toggle-collect=counted_call', '--dump-before=counted_end', '--callgrind-out-file=counts'];
  const calls = run('valgrind', ['--tool=callgrind', ...counted, program], scratch)
    .trim()
    .split('\n');
  const counts = calls.map((line, index) => {
    const [layout, rows, outputs] = line.split(' ');
    const dump = readFileSync(join(scratch, `counts.${index + 1}`), 'utf8');
    const total = Number(/^(?:summary|totals): (\d+)/m.exec(dump)?.[1]);
    return [`${layout} ${rows}`, Math.round((10 * total) / Number(outputs)) / 10];
  });
  stdout.write(`${JSON.stringify({ counts: Object.fromEntries(counts) })}\n`);
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
