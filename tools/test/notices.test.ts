import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { productionClosure } from '../notices/closure.mjs';
import { renderNotices } from '../notices/render.mjs';

const root = fileURLToPath(new URL('../../', import.meta.url));

describe('THIRD_PARTY_NOTICES.md', () => {
  it('is what npm run notices writes', () => {
    expect(readFileSync(`${root}THIRD_PARTY_NOTICES.md`, 'utf8')).toBe(renderNotices(root));
  });
});

describe('productionClosure', () => {
  it('follows published packages only, through links and nested versions', () => {
    const packages = {
      'packages/a': {
        name: '@kvasir/a',
        dependencies: { '@kvasir/b': '^1.0.0', x: '1.0.0' },
        devDependencies: { dev: '1.0.0' },
      },
      'packages/b': { name: '@kvasir/b', dependencies: { y: '1.0.0' }, optionalDependencies: { 'not-here': '1.0.0' } },
      'packages/testing': { name: '@kvasir/testing', dependencies: { 'test-only': '1.0.0' } },
      'node_modules/@kvasir/b': { link: true, resolved: 'packages/b' },
      'node_modules/x': { dependencies: { y: '2.0.0' } },
      'node_modules/x/node_modules/y': { dependencies: { z: '1.0.0' } },
      'node_modules/y': {},
      'node_modules/z': { dependencies: { x: '1.0.0' } },
      'node_modules/dev': {},
      'node_modules/test-only': {},
      'node_modules/header': {},
    };
    expect(productionClosure(packages, ['header'])).toEqual([
      'node_modules/header',
      'node_modules/x',
      'node_modules/x/node_modules/y',
      'node_modules/y',
      'node_modules/z',
    ]);
  });

  it('refuses a lockfile that lacks a dependency', () => {
    expect(() => productionClosure({ 'packages/a': { name: '@kvasir/a', dependencies: { x: '1.0.0' } } })).toThrow(
      'x, needed by packages/a, is not in the lockfile',
    );
  });
});
