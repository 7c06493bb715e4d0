// Lints the package in the current directory: its sources (biome), then its tarball (publint, attw).
import { spawnSync } from 'node:child_process';

const checks = [
  ['biome', 'check', '--error-on-warnings', '.'],
  ['publint', '--strict'],
  // node10 is left out: it predates `exports`, so it cannot see subpaths.
  ['attw', '--pack', '.', '--profile', 'node16', '--format', 'ascii'],
];

for (const [command, ...args] of checks) {
  const result = spawnSync(command, args, { encoding: 'utf8', shell: process.platform === 'win32' });
  if (result.error !== undefined) throw result.error;
  if (result.status !== 0) {
    process.stderr.write(`${[command, ...args].join(' ')} failed\n${result.stdout}${result.stderr}`);
    process.exit(1);
  }
}
