import { mkdir, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ChecksumError, DownloadError } from '../../errors.js';
import { checkDiskSpace, explainWriteError } from '../cache/disk-space.js';
import { PartialFile } from './partial-file.js';
import { causeText, type FollowedResponse, request } from './request.js';

/** What `downloadFile` fetches. */
export interface DownloadOptions {
  readonly url: string;
  /** Where the finished file goes; `<path>.part` is its partial form and survives failures. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Checked while the bytes arrive. Without it, a server's `x-linked-etag` is taken when it is a SHA-256. */
  readonly sha256?: string;
  readonly signal?: AbortSignal;
  /**
   * Called for each piece that has arrived.
   * @param totalBytes - `undefined` when the server does not say.
   */
  readonly onProgress?: (receivedBytes: number, totalBytes: number | undefined) => void;
  /** Attempts in a row that may bring nothing. Default 5. */
  readonly maxAttempts?: number;
  /** Wait before the second attempt, doubled for each further one. Default 500. */
  readonly retryDelayMs?: number;
  /** Time until a response starts. Default 10,000. */
  readonly responseTimeoutMs?: number;
  /** Longest silence in the middle of a body. Default 30,000. */
  readonly stallTimeoutMs?: number;
}

/** A finished download. */
export interface DownloadedFile {
  readonly path: string;
  readonly sizeBytes: number;
  readonly sha256: string;
}

/** A failure that another attempt may cure. */
class TransientError extends Error {
  readonly retryAfterMs: number | undefined;

  constructor(message: string, retryAfterMs?: number) {
    super(message);
    this.retryAfterMs = retryAfterMs;
  }
}

/**
 * Downloads a file, resuming a partial one of the same content, retrying broken connections, and putting it in place whole or not at all.
 * @throws {@link DownloadError} When it is refused or keeps failing.
 * @throws {@link ChecksumError} When it is not what was expected; the partial file is deleted.
 * @throws {@link DiskFullError}
 */
export async function downloadFile(options: DownloadOptions): Promise<DownloadedFile> {
  const { url, path, maxAttempts = 5, retryDelayMs = 500, signal } = options;
  await mkdir(dirname(path), { recursive: true });
  let failures = 0;
  let furthest = 0;
  for (;;) {
    const part = await PartialFile.open(`${path}.part`, signal);
    if (failures === 0) furthest = part.length;
    try {
      const expected = await receive(part, options);
      return await finish(part, path, url, expected);
    } catch (error) {
      signal?.throwIfAborted();
      if (!isTransient(error)) throw error;
      // Progress is measured against the best attempt, so that a server that cannot resume and breaks each time is given up.
      failures = part.length > furthest ? 1 : failures + 1;
      furthest = Math.max(furthest, part.length);
      // A host that never answered is not waited for again and again.
      if (error instanceof DownloadError && furthest === 0 && failures >= 2) throw error;
      if (failures >= maxAttempts)
        throw new DownloadError(url, `${(error as Error).message}, ${failures} attempts in a row`, { cause: error });
      const delay = (error as TransientError).retryAfterMs ?? retryDelayMs * 2 ** (failures - 1);
      await sleep(Math.min(delay, 60_000), undefined, signal === undefined ? {} : { signal });
    } finally {
      await part.close();
    }
  }
}

function isTransient(error: unknown): boolean {
  return error instanceof TransientError || (error instanceof DownloadError && error.status === undefined);
}

/** Receives the rest of the file. @returns The SHA-256 it should have, where that is known. */
async function receive(part: PartialFile, options: DownloadOptions): Promise<string | undefined> {
  const { url, headers, signal, onProgress, responseTimeoutMs: timeoutMs = 10_000, stallTimeoutMs = 30_000 } = options;
  const range = part.length > 0 ? { range: `bytes=${part.length}-` } : {};
  const response = await request(url, {
    headers: { 'accept-encoding': 'identity', ...headers, ...range },
    timeoutMs,
    ...(signal === undefined ? {} : { signal }),
  });
  const etag = response.header('x-linked-etag') ?? response.header('etag');
  const linked = /^(?:W\/)?"?([0-9a-f]{64})"?$/.exec(response.header('x-linked-etag') ?? '')?.[1];
  let total: number | undefined;
  try {
    total = await matchResponse(part, response, url, etag);
    if (total !== undefined) await checkDiskSpace(dirname(options.path), total - part.length);
    await part.remember(etag);
    onProgress?.(part.length, total);
  } catch (error) {
    // A body that nobody reads would keep its connection, and with it the process.
    await response.body?.cancel().catch(() => {});
    throw error;
  }
  await receiveBody(part, response, { stallTimeoutMs, onChunk: () => onProgress?.(part.length, total), needed: total });
  signal?.throwIfAborted();
  if (total !== undefined && part.length !== total) {
    if (part.length > total) await part.restart();
    throw new TransientError(`connection ended after ${part.length} of ${total} bytes`);
  }
  return options.sha256 ?? linked;
}

/** Decides what the response means for the bytes already here. @returns The full size, where the server says it. */
async function matchResponse(
  part: PartialFile,
  response: FollowedResponse,
  url: string,
  etag: string | undefined,
): Promise<number | undefined> {
  const { status } = response;
  if (status === 206) {
    const [, start, size] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(response.lastHeader('content-range') ?? '') ?? [];
    if (Number(start) === part.length && part.matches(etag)) return size === '*' ? undefined : Number(size);
    await response.body?.cancel();
    await part.restart();
    throw new TransientError('the file changed since its first part was downloaded');
  }
  if (status === 200) {
    // The server ignores ranges, or there was nothing to resume.
    await part.restart();
    const length = response.lastHeader('content-length');
    return length === undefined || response.lastHeader('content-encoding') !== undefined ? undefined : Number(length);
  }
  await response.body?.cancel();
  if (status === 416) {
    // Either all of it is here, or more than all.
    const size = /^bytes \*\/(\d+)$/.exec(response.lastHeader('content-range') ?? '')?.[1];
    if (Number(size) === part.length && part.matches(etag)) return part.length;
    await part.restart();
    throw new TransientError('the partial file was longer than the file');
  }
  if (status === 408 || status === 429 || status >= 500) {
    const after = Number(response.lastHeader('retry-after'));
    throw new TransientError(`got HTTP ${status}`, Number.isFinite(after) && after > 0 ? 1000 * after : undefined);
  }
  throw new DownloadError(url, statusText(status), { status });
}

function statusText(status: number): string {
  if (status === 401) return 'got HTTP 401: it needs a token that may read it; set HF_TOKEN';
  if (status === 403)
    return 'got HTTP 403: access is gated; accept its terms on its page and set HF_TOKEN to a token of that account';
  if (status === 404) return 'got HTTP 404: no such repository, revision or file';
  return `got HTTP ${status}`;
}

interface BodyOptions {
  readonly stallTimeoutMs: number;
  readonly onChunk: () => void;
  readonly needed: number | undefined;
}

async function receiveBody(
  part: PartialFile,
  { status, body }: FollowedResponse,
  { stallTimeoutMs, onChunk, needed }: BodyOptions,
): Promise<void> {
  if (body === null || status === 416) return;
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await readChunk(reader, stallTimeoutMs);
      if (done) return;
      try {
        await part.append(value);
      } catch (error) {
        throw explainWriteError(error, dirname(part.path), Math.max(0, (needed ?? part.length) - part.length));
      }
      onChunk();
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

async function readChunk(reader: ReadableStreamDefaultReader<Uint8Array>, stallTimeoutMs: number) {
  let timer: NodeJS.Timeout | undefined;
  const stalled = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new TransientError(`no bytes for ${stallTimeoutMs} ms`)), stallTimeoutMs);
  });
  try {
    return await Promise.race([reader.read(), stalled]);
  } catch (error) {
    throw error instanceof TransientError ? error : new TransientError(`connection broke (${causeText(error)})`);
  } finally {
    clearTimeout(timer);
  }
}

async function finish(
  part: PartialFile,
  path: string,
  url: string,
  expected: string | undefined,
): Promise<DownloadedFile> {
  const sha256 = part.sha256();
  const sizeBytes = part.length;
  if (expected !== undefined && sha256 !== expected) {
    await part.delete();
    throw new ChecksumError(url, sha256, expected);
  }
  await part.sync();
  await rename(part.path, path);
  await part.forget();
  return { path, sizeBytes, sha256 };
}
