// Lints what belongs to no package: files at the root, tools/, bench/, examples/ (biome), and the workspace (knip).
import { spawnSync } from 'node:child_process';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const checks = [
  ['biome', 'check', '--error-on-warnings', 'tools', 'bench', 'examples', '.changeset/config.json', ...rootFiles()],
  ['knip', '--no-progress', '--no-config-hints'],
];

for (const [command, ...args] of checks) {
  const result = spawnSync(command, args, { cwd: root, encoding: 'utf8', shell: process.platform === 'win32' });
  if (result.error !== undefined) throw result.error;
  if (result.status !== 0) {
    process.stderr.write(`${[command, ...args].join(' ')} failed\n${result.stdout}${result.stderr}`);
    process.exit(1);
  }
}

function rootFiles() {
  return [
    'package.json',
    'nx.json',
    'biome.json',
    'knip.json',
    'typedoc.json',
    'tsconfig.base.json',
    'vitest.config.ts',
  ];
}
