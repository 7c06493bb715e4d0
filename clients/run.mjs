// `npm run test:clients`: installs the pinned clients and runs each against a `kvasir serve` of this checkout.
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { installNpmClients } from './setup/npm-clients.mjs';
import { installPythonClients } from './setup/python-clients.mjs';
import { UNREACHABLE } from './setup/run-quietly.mjs';

const folder = dirname(fileURLToPath(import.meta.url));

const [npm, python] = await Promise.all([
  installNpmClients(join(folder, 'npm')),
  installPythonClients(join(folder, 'python')),
]);
const missing = Object.entries({ npm, python }).filter(([, status]) => status === UNREACHABLE);
for (const [name] of missing) console.log(`SKIPPED: clients of ${name}, whose registry cannot be reached`);

const run = (command, args, env = {}) =>
  spawnSync(process.execPath, [join(folder, '..', 'node_modules', ...command), ...args], {
    cwd: folder,
    stdio: 'inherit',
    env: { ...process.env, ...env },
  }).status === 0;

const areTypesRight = npm === UNREACHABLE || run(['typescript', 'bin', 'tsc'], ['-p', 'npm/tsconfig.json']);
const isPassed = run(['vitest', 'vitest.mjs'], ['run', ...process.argv.slice(2)], {
  KVASIR_CLIENTS_MISSING: missing.map(([name]) => name).join(','),
});
process.exitCode = areTypesRight && isPassed ? 0 : 1;
