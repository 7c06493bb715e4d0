// `npm run bench -- <name> [options]`: builds what is missing, then runs bench/ with the arguments as they are.
import { spawnSync } from 'node:child_process';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureBuilt } from './setup/build.mjs';
import { checkNode } from './setup/check-machine.mjs';
import { ensureInstalled } from './setup/install.mjs';
import { nxCommand } from './setup/nx.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

checkNode();
ensureInstalled(root);
ensureBuilt(root);

const args = [nxCommand(root), 'run', '@kvasir/bench:bench', '--output-style=stream', ...process.argv.slice(2)];
const result = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' });
process.exitCode = result.status ?? 1;
