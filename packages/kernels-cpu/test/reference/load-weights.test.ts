import { readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { createTinyModel, tinyModelSpec } from '@kvasir/testing';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { loadWeights } from '../../src/reference/load-weights.js';

/** Paths of the files that this process has open. */
function openPaths(): string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return [readlinkSync(join('/proc/self/fd', fd))];
    } catch {
      return [];
    }
  });
}

it.runIf(process.platform === 'linux')('a file that cannot be opened leaves none of the others open', async () => {
  using model = createTinyModel(fc.sample(tinyModelSpec(), { numRuns: 1, seed: 1 })[0]!);
  const { program } = model;
  const [{ path } = { path: '' }] = program.files;
  const broken = { ...program, files: [...program.files, { ...program.files[0]!, path: `${path}.missing` }] };
  await expect(loadWeights(broken, () => new Float64Array(0))).rejects.toMatchObject({ code: 'ENOENT' });
  expect(openPaths()).not.toContain(path);
});
