// Builds what has changed of the native addon of the package in the current directory; the last binary stays until the new one is linked.
// Needs no network where the headers lie beside node.
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { dirname } from 'node:path';
import { headerArguments } from './header-arguments.mjs';

const require = createRequire(import.meta.url);
const prefix = dirname(dirname(process.execPath));
const jobs = process.env['JOBS'] ?? String(Math.min(availableParallelism(), 8));

const args = [require.resolve('node-gyp/bin/node-gyp.js'), 'configure', 'build', '--jobs', jobs];
if (process.env['npm_config_loglevel'] === undefined) args.push('--loglevel', 'warn');
args.push(...headerArguments(prefix));
args.push(...process.argv.slice(2));

const result = spawnSync(process.execPath, args, { stdio: 'inherit' });
if (result.error !== undefined) throw result.error;
process.exit(result.status ?? 1);
