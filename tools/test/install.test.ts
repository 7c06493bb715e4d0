import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { isInstalled } from '../setup/install.mjs';

const WANTED = {
  '': {},
  'packages/a': { version: '0.1.0' },
  'node_modules/a': { link: true, resolved: 'packages/a' },
  'node_modules/x': { version: '1.0.0' },
  'node_modules/x-darwin': { version: '1.0.0', optional: true },
};

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'kvasir-install-'));
});
afterEach(() => {
  rmSync(root, { recursive: true });
});

it.each([
  ['nothing is installed', undefined, false],
  ['all is there, without other platforms', { 'node_modules/a': {}, 'node_modules/x': { version: '1.0.0' } }, true],
  ['a package is missing', { 'node_modules/a': {} }, false],
  ['a link is missing', { 'node_modules/x': { version: '1.0.0' } }, false],
  ['a version is another', { 'node_modules/a': {}, 'node_modules/x': { version: '1.0.1' } }, false],
])('isInstalled when %s', (_, installed, expected) => {
  writeFileSync(join(root, 'package-lock.json'), JSON.stringify({ packages: WANTED }));
  if (installed !== undefined) {
    mkdirSync(join(root, 'node_modules'));
    writeFileSync(join(root, 'node_modules', '.package-lock.json'), JSON.stringify({ packages: installed }));
  }
  expect(isInstalled(root)).toBe(expected);
});
