import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fail } from './check-machine.mjs';

/**
 * Installs exactly what package-lock.json says, unless it is there already.
 * Install scripts stay off: the addons are built by `build:native`, and no dependency needs its script.
 */
export function ensureInstalled(root) {
  if (isInstalled(root)) return;
  console.log('Installing dependencies ...');
  const result = spawnSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    stdio: 'inherit',
    shell: process.platform === 'win32',
  });
  if (result.status !== 0) fail('npm ci failed: see its message above.');
}

/** Compares npm's record of node_modules with the lockfile, since modification times do not survive a checkout. */
export function isInstalled(root) {
  const installedPath = join(root, 'node_modules', '.package-lock.json');
  if (!existsSync(installedPath)) return false;
  const installed = JSON.parse(readFileSync(installedPath, 'utf8')).packages;
  const wanted = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
  return Object.entries(wanted).every(([path, { version, link, optional, devOptional }]) => {
    if (!path.includes('node_modules/')) return true;
    // Optional packages of other platforms are in the lockfile only.
    if (installed[path] === undefined) return optional === true || devOptional === true;
    return link === true || installed[path].version === version;
  });
}
