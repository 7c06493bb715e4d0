import { expect, it } from 'vitest';
import { DiskFullError } from '../../src/index.js';
import { checkDiskSpace, explainWriteError } from '../../src/resolve/cache/disk-space.js';
import { temporaryFolder } from '../support/temporary-folder.js';

const folder = temporaryFolder();

it('passes what fits', async () => {
  await expect(checkDiskSpace(folder, 1)).resolves.toBeUndefined();
});

it('refuses what cannot fit before a byte is written', async () => {
  const error = await checkDiskSpace(folder, 2 ** 60).catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(DiskFullError);
  expect((error as DiskFullError).neededBytes).toBeGreaterThan(2 ** 60);
  expect((error as Error).message).toMatch(
    /are free, \d+ MB more needed. Free some space, or set KVASIR_CACHE to a folder on another disk$/,
  );
});

it.each(['ENOSPC', 'EDQUOT'])('explains %s of a write', (code) => {
  const cause = Object.assign(new Error(code), { code });
  const error = explainWriteError(cause, folder, 5e6);
  expect(error).toBeInstanceOf(DiskFullError);
  expect(error).toMatchObject({
    code: 'ERR_DISK_FULL',
    cause,
    message: `${folder}: the disk is full, 5 MB more needed. Free some space, or set KVASIR_CACHE to a folder on another disk`,
  });
});

it('passes other errors on', () => {
  const error = new Error('no');
  expect(explainWriteError(error, folder, 1)).toBe(error);
});
