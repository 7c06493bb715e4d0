import { existsSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { withCacheLock } from '../../src/resolve/cache/cache-lock.js';
import { temporaryFolder } from '../support/temporary-folder.js';

const folder = temporaryFolder();
let number = 0;
const newPath = () => join(folder, 'locks', `${number++}.lock`);

describe('withCacheLock', () => {
  it('lets one in at a time and leaves nothing behind', async () => {
    const path = newPath();
    let inside = 0;
    const order: number[] = [];
    const work = (id: number) => async () => {
      expect(++inside).toBe(1);
      await sleep(20);
      order.push(id);
      inside--;
    };
    await Promise.all([1, 2, 3].map((id) => withCacheLock(path, work(id))));
    expect(order.toSorted()).toEqual([1, 2, 3]);
    expect(existsSync(path)).toBe(false);
  });

  it('is released when the work fails', async () => {
    const path = newPath();
    await expect(withCacheLock(path, async () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(await withCacheLock(path, async () => 'yes')).toBe('yes');
  });

  it('names who holds it, and can be cancelled while waiting', async () => {
    const path = newPath();
    const controller = new AbortController();
    const owners: number[] = [];
    await withCacheLock(path, async () => {
      const waiting = withCacheLock(path, async () => 'never', {
        signal: controller.signal,
        onWait: ({ pid }) => owners.push(pid),
      });
      await sleep(50);
      controller.abort(new Error('enough'));
      await expect(waiting).rejects.toThrow(/enough|abort/);
    });
    expect(owners).toEqual([process.pid]);
  });

  it('takes over from a process that is gone', async () => {
    const path = newPath();
    await withCacheLock(path, async () => undefined);
    // Ids of processes end at 2^22 on Linux.
    writeFileSync(path, JSON.stringify({ token: 'old', pid: 2 ** 22 + 7, host: hostname() }));
    expect(await withCacheLock(path, async () => JSON.parse(readFileSync(path, 'utf8')).pid)).toBe(process.pid);
  });

  it('takes over a lock that nobody has touched for long, also one of another machine or one that is damaged', async () => {
    for (const content of [JSON.stringify({ token: 'old', pid: 1, host: 'elsewhere' }), '{']) {
      const path = newPath();
      await withCacheLock(path, async () => undefined);
      writeFileSync(path, content);
      const old = new Date(Date.now() - 60_000);
      utimesSync(path, old, old);
      expect(await withCacheLock(path, async () => 'mine')).toBe('mine');
    }
  });

  it('does not remove the lock of whoever took it over', async () => {
    const path = newPath();
    await withCacheLock(path, async () =>
      writeFileSync(path, JSON.stringify({ token: 'other', pid: process.pid, host: hostname() })),
    );
    expect(JSON.parse(readFileSync(path, 'utf8')).token).toBe('other');
  });
});
