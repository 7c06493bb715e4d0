// `npm run bench -- <name> [options]`: builds what is missing, then runs bench/ with the arguments as they are.
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureBuilt } from './setup/build.mjs';
import { checkNode } from './setup/check-machine.mjs';
import { ensureInstalled } from './setup/install.mjs';
import { nxCommand } from './setup/nx.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

checkNode();
ensureInstalled(root);
ensureBuilt(root);

const build = spawnSync(process.execPath, [nxCommand(root), 'run', '@kvasir/bench:build:bench'], {
  cwd: root,
  encoding: 'utf8',
});
if (build.status !== 0) {
  process.stderr.write(`${build.stdout}${build.stderr}`);
  process.exit(1);
}
// Not through nx, which would take options such as --help for its own.
const main = join(root, 'bench', 'dist', 'main.js');
process.exitCode =
  spawnSync(process.execPath, [main, ...process.argv.slice(2)], { cwd: root, stdio: 'inherit' }).status ?? 1;
