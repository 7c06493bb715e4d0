import { isInstalled } from '../../tools/setup/install.mjs';
import { runQuietly } from './run-quietly.mjs';

/** Installs what the lock file of `folder` says into its node_modules, unless it is there. */
export function installNpmClients(folder) {
  if (isInstalled(folder)) return 'done';
  return runQuietly('npm', ['ci', '--loglevel=error', '--fetch-retries=1'], {
    cwd: folder,
    shell: process.platform === 'win32',
  });
}
