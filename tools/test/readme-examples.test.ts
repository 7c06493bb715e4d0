import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));

describe.each(readdirSync(`${root}packages`).filter(hasExample))('README of %s', (directory) => {
  const readme = readFileSync(`${root}packages/${directory}/README.md`, 'utf8');
  const example = readFileSync(`${root}examples/${directory}.mjs`, 'utf8');

  it('shows its example as it runs, or says where it is', () => {
    const [, shown] = /```js\n([\s\S]*?)```/.exec(readme) ?? [];
    if (readme.includes(`examples/${directory}.mjs`)) return;
    expect(shown?.trim()).toBe(withoutTitle(example).trim());
  });
});

/** The first line says what the example shows; a README says that in words of its own. */
function withoutTitle(example: string): string {
  return example.replace(/^\/\/.*\n/, '');
}

function hasExample(directory: string): boolean {
  return existsSync(`${root}examples/${directory}.mjs`);
}
