import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';

/** Writes `tokenizer.json` files for one test file and removes them afterwards. */
export function tokenizerFiles(): (json: string | object) => string {
  const folder = mkdtempSync(join(tmpdir(), 'kvasir-tokenizer-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  let count = 0;
  return (json) => {
    const path = join(folder, `${count++}.json`);
    writeFileSync(path, typeof json === 'string' ? json : JSON.stringify(json));
    return path;
  };
}
