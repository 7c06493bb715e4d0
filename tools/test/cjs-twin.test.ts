import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { toCommonJs } from '../pack-test/cjs-twin.js';

describe('toCommonJs', () => {
  it('runs every form of import, and await at the top level', () => {
    const twin = toCommonJs(
      'example.mjs',
      `import assert from 'node:assert';
import * as path from 'node:path';
import { tmpdir as temporary, EOL } from 'node:os';

import 'node:fs';

// a comment stays
const text = await Promise.resolve('hello');
for await (const each of [path.basename(temporary()), EOL]) assert(each);
console.log(text, import.meta.url.startsWith('file:'));
`,
    );
    expect(twin).toContain('// a comment stays');
    expect(run(twin)).toEqual({ stdout: 'hello true\n', status: 0 });
  });

  it('lets an example that throws fail', () => {
    expect(run(toCommonJs('example.mjs', `throw new Error('no');`)).status).toBe(1);
  });

  it.each(['export const a = 1;', 'export { b } from "b";', 'export default 1;'])('refuses %s', (text) => {
    expect(() => toCommonJs('example.mjs', text)).toThrow('an example exports nothing');
  });
});

function run(script: string): { stdout: string; status: number | null } {
  // `.cjs` semantics: this package is ESM, so a bare --eval would have to guess.
  const { stdout, status } = spawnSync(process.execPath, ['--input-type=commonjs', '--eval', script], {
    encoding: 'utf8',
    cwd: process.cwd(),
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  return { stdout, status };
}
