import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { ChecksumError, DiskFullError, DownloadError } from '../../src/index.js';
import { type DownloadOptions, downloadFile } from '../../src/resolve/http/download-file.js';
import { FakeHub, sha256 } from '../support/fake-hub.js';
import { temporaryFolder } from '../support/temporary-folder.js';

const folder = temporaryFolder();
const CONTENT = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * 7919) % 251));

let hub: FakeHub;
let path: string;
let number = 0;

beforeEach(async () => {
  hub = await FakeHub.start();
  hub.files.set('weights.bin', CONTENT);
  path = join(folder, String(number++), 'weights.bin');
});

const download = (options: Partial<DownloadOptions> = {}) =>
  downloadFile({
    url: `${hub.endpoint}/org/model/resolve/main/weights.bin`,
    path,
    retryDelayMs: 1,
    ...options,
    onProgress: (received, total) => {
      hub.clientReceived = received;
      options.onProgress?.(received, total);
    },
  });
const ranges = () => hub.log.filter((line) => line.startsWith('CONTENT')).map((line) => line.split(' ')[2] ?? 'all');

describe('downloadFile', () => {
  it('follows the redirect, reports progress and leaves the file alone', async () => {
    const progress: number[] = [];
    const file = await download({
      onProgress: (received, total) => progress.push(received) && expect(total).toBe(CONTENT.length),
    });
    expect(file).toEqual({ path, sizeBytes: CONTENT.length, sha256: sha256(CONTENT) });
    expect(readFileSync(path).equals(CONTENT)).toBe(true);
    expect(progress[0]).toBe(0);
    expect(progress.at(-1)).toBe(CONTENT.length);
    expect(progress).toEqual(progress.toSorted((a, b) => a - b));
    expect([existsSync(`${path}.part`), existsSync(`${path}.part.json`)]).toEqual([false, false]);
  });

  it('sends the token to the hub and not to the store behind it', async () => {
    hub.token = 'secret';
    await download({ headers: { authorization: 'Bearer secret' } });
    expect(hub.contentHeaders[0]?.authorization).toBeUndefined();
  });

  it('resumes where a connection broke, again and again', async () => {
    hub.faults.push({ kind: 'break', afterBytes: 100_000 }, { kind: 'break', afterBytes: 50_000 });
    expect((await download()).sha256).toBe(sha256(CONTENT));
    expect(ranges()).toEqual(['all', 'bytes=100000-', 'bytes=150000-']);
  });

  it('resumes a partial file of an earlier run', async () => {
    hub.faults.push({ kind: 'break', afterBytes: 100_000 });
    await expect(download({ maxAttempts: 1 })).rejects.toThrow(DownloadError);
    expect(readFileSync(`${path}.part`)).toHaveLength(100_000);
    expect((await download()).sha256).toBe(sha256(CONTENT));
    expect(ranges()).toEqual(['all', 'bytes=100000-']);
  });

  it('finishes a partial file that was already whole', async () => {
    hub.faults.push({ kind: 'break', afterBytes: CONTENT.length - 1 });
    await expect(download({ maxAttempts: 1 })).rejects.toThrow(DownloadError);
    writeFileSync(`${path}.part`, CONTENT);
    expect((await download()).sha256).toBe(sha256(CONTENT));
  });

  it('starts again when the file changed meanwhile', async () => {
    hub.sendsChecksums = false;
    hub.faults.push({ kind: 'break', afterBytes: 100_000 });
    await expect(download({ maxAttempts: 1 })).rejects.toThrow(DownloadError);
    const changed = Buffer.from(CONTENT).fill(1, 0, 10);
    hub.files.set('weights.bin', changed);
    expect((await download()).sha256).toBe(sha256(changed));
  });

  it('starts again when a partial file is too long', async () => {
    hub.faults.push({ kind: 'break', afterBytes: 100_000 });
    await expect(download({ maxAttempts: 1 })).rejects.toThrow(DownloadError);
    writeFileSync(`${path}.part`, Buffer.alloc(400_000));
    expect((await download()).sha256).toBe(sha256(CONTENT));
  });

  it('copes with a server that ignores ranges', async () => {
    hub.supportsRanges = false;
    hub.faults.push({ kind: 'break', afterBytes: 100_000 });
    expect((await download()).sha256).toBe(sha256(CONTENT));
  });

  it('gives up on a server that can never finish', async () => {
    hub.supportsRanges = false;
    hub.sendsEtag = false;
    hub.sendsChecksums = false;
    for (let i = 0; i < 20; i++) hub.faults.push({ kind: 'break', afterBytes: 1_000 });
    await expect(download({ maxAttempts: 3 })).rejects.toThrow(/3 attempts in a row/);
    expect(ranges().length).toBeLessThan(6);
  });

  it("retries what is the server's trouble, waiting as long as it says", async () => {
    hub.faults.push(
      { kind: 'status', status: 503 },
      { kind: 'status', status: 429, headers: { 'retry-after': '0.05' } },
    );
    const start = performance.now();
    expect((await download()).sha256).toBe(sha256(CONTENT));
    expect(performance.now() - start).toBeGreaterThan(45);
  });

  it('gives up on silence', async () => {
    for (let i = 0; i < 3; i++) hub.faults.push({ kind: 'stall', afterBytes: 0 });
    await expect(download({ stallTimeoutMs: 30, maxAttempts: 2 })).rejects.toThrow('no bytes for 30 ms');
  });

  it.each([
    [404, 'got HTTP 404: no such repository, revision or file'],
    [403, 'got HTTP 403: access is gated; accept its terms on its page and set HF_TOKEN'],
    [401, 'got HTTP 401: it needs a token that may read it; set HF_TOKEN'],
    [400, 'got HTTP 400'],
  ])('does not retry HTTP %d', async (status, message) => {
    hub.faults.push({ kind: 'status', status });
    const error = await download().catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(DownloadError);
    expect((error as DownloadError).status).toBe(status);
    expect((error as Error).message).toContain(message);
    expect(ranges()).toHaveLength(1);
  });

  it('deletes bytes that are not the ones expected', async () => {
    const wanted = 'ab'.repeat(32);
    await expect(download({ sha256: wanted })).rejects.toThrow(ChecksumError);
    await expect(download({ sha256: wanted })).rejects.toThrow(`got sha256 ${sha256(CONTENT)}, expected ${wanted}`);
    expect([existsSync(path), existsSync(`${path}.part`)]).toEqual([false, false]);
  });

  it('checks against the checksum the hub names when none is given', async () => {
    hub.faults.push({ kind: 'break', afterBytes: 100_000 });
    await expect(download({ maxAttempts: 1 })).rejects.toThrow(DownloadError);
    writeFileSync(`${path}.part`, Buffer.alloc(100_000, 1));
    await expect(download()).rejects.toThrow(ChecksumError);
  });

  it('reports a host that is not there after two attempts', async () => {
    await hub.stop();
    await expect(download()).rejects.toThrow(/not reachable \(ECONNREFUSED\)/);
  });

  it('lets go of the connection when the disk has no room for the body', async () => {
    hub.faults.push({ kind: 'stall', afterBytes: 1_000 });
    hub.declaredBytes = 2 ** 52;
    await expect(download()).rejects.toThrow(DiskFullError);
    await hub.abandoned;
  });

  it('stops when it is told to, and keeps what it has', async () => {
    hub.faults.push({ kind: 'stall', afterBytes: 100_000 });
    const controller = new AbortController();
    const running = download({
      signal: controller.signal,
      onProgress: (received) => received > 0 && controller.abort(new Error('enough')),
    });
    await expect(running).rejects.toThrow('enough');
    expect(existsSync(`${path}.part`)).toBe(true);
    expect((await download()).sha256).toBe(sha256(CONTENT));
  });
});
