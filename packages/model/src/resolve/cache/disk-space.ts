import { statfs } from 'node:fs/promises';
import { DiskFullError } from '../../errors.js';

/** What must stay free beside a download. */
const RESERVE_BYTES = 32 << 20;

/** @throws {@link DiskFullError} If the disk of `folder` has no room for `neededBytes`. */
export async function checkDiskSpace(folder: string, neededBytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  const freeBytes = bavail * bsize;
  if (freeBytes < neededBytes + RESERVE_BYTES) throw new DiskFullError(folder, neededBytes + RESERVE_BYTES, freeBytes);
}

/** Turns the system's "no space" and "over quota" into {@link DiskFullError}; other errors pass. */
export function explainWriteError(error: unknown, folder: string, neededBytes: number): unknown {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  return code === 'ENOSPC' || code === 'EDQUOT'
    ? new DiskFullError(folder, neededBytes, undefined, { cause: error })
    : error;
}
