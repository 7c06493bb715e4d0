import { randomUUID } from 'node:crypto';
import { link, mkdir, open, readFile, rename, stat, unlink, utimes } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const HEARTBEAT_MS = 2_000;
const STALE_MS = 15_000;
const POLL_MS = 200;

interface LockOwner {
  readonly token: string;
  readonly pid: number;
  readonly host: string;
}

/** How {@link withCacheLock} waits. */
export interface LockOptions {
  readonly signal?: AbortSignal;
  /** Called once, when another process holds the lock. */
  readonly onWait?: (owner: { readonly pid: number; readonly host: string }) => void;
}

/**
 * Runs `work` while no other process runs its own under the same lock file, so that two pulls share one download.
 * The owner touches the file every two seconds; a lock untouched for fifteen, or whose process on this machine is gone, is taken over.
 */
export async function withCacheLock<T>(path: string, work: () => Promise<T>, options: LockOptions = {}): Promise<T> {
  const token = await acquire(path, options);
  const heartbeat = setInterval(() => void touch(path, token), HEARTBEAT_MS);
  heartbeat.unref();
  try {
    return await work();
  } finally {
    clearInterval(heartbeat);
    if ((await readOwner(path))?.token === token) await unlink(path).catch(() => {});
  }
}

async function acquire(path: string, { signal, onWait }: LockOptions): Promise<string> {
  const owner: LockOwner = { token: randomUUID(), pid: process.pid, host: hostname() };
  await mkdir(dirname(path), { recursive: true });
  for (let hasWaited = false; ; hasWaited = true) {
    signal?.throwIfAborted();
    if (await tryCreate(path, owner)) return owner.token;
    const holder = await readOwner(path);
    if (await isStale(path, holder)) await takeAway(path, holder?.token);
    else {
      if (!hasWaited && holder !== undefined) onWait?.(holder);
      await sleep(POLL_MS, undefined, signal === undefined ? {} : { signal });
    }
  }
}

async function tryCreate(path: string, owner: LockOwner): Promise<boolean> {
  try {
    const file = await open(path, 'wx');
    await file.writeFile(JSON.stringify(owner)).finally(() => file.close());
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

async function isStale(path: string, holder: LockOwner | undefined): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) return false;
  if (Date.now() - found.mtimeMs > STALE_MS) return true;
  return holder !== undefined && holder.host === hostname() && !isAlive(holder.pid);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

/** Removes a stale lock. Whoever else took it over in between gets it back: renaming is atomic, and the token says whose it was. */
async function takeAway(path: string, staleToken: string | undefined): Promise<void> {
  const aside = `${path}.${randomUUID()}`;
  try {
    await rename(path, aside);
  } catch {
    return;
  }
  if ((await readOwner(aside))?.token !== staleToken) await link(aside, path).catch(() => {});
  await unlink(aside).catch(() => {});
}

async function touch(path: string, token: string): Promise<void> {
  if ((await readOwner(path))?.token !== token) return;
  const now = new Date();
  await utimes(path, now, now).catch(() => {});
}

async function readOwner(path: string): Promise<LockOwner | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as LockOwner;
  } catch {
    return undefined;
  }
}
