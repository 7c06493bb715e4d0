// `npm start`: installs and builds what is missing, then serves. Arguments after `--` go to `kvasir serve`.
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { ensureBuilt } from './setup/build.mjs';
import { checkNode } from './setup/check-machine.mjs';
import { ensureInstalled } from './setup/install.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const bin = join(root, 'packages', 'cli', 'bin', 'kvasir.js');

checkNode();
ensureInstalled(root);
ensureBuilt(root);

// A person started this: they get the panel with its `curl` line, also where npm leaves no terminal.
process.env.KVASIR_LOG_FORMAT ??= 'text';
// The server runs in this process, so that signals reach it and nothing stays behind.
process.argv = [process.execPath, bin, 'serve', ...process.argv.slice(2)];
await import(pathToFileURL(bin).href);
