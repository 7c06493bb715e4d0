import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { headerArguments } from '../native/header-arguments.mjs';

const folder = mkdtempSync(join(tmpdir(), 'kvasir-headers-'));
afterAll(() => rmSync(folder, { recursive: true }));

test('headers beside node are used, so that building needs no network', () => {
  const prefix = join(folder, 'with');
  mkdirSync(join(prefix, 'include', 'node'), { recursive: true });
  writeFileSync(join(prefix, 'include', 'node', 'node_api.h'), '');
  expect(headerArguments(prefix)).toEqual([`--nodedir=${prefix}`]);
});

test('without them node-gyp is left to fetch its own', () => {
  expect(headerArguments(join(folder, 'without'))).toEqual([]);
});
