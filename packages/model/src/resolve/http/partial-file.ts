import { createHash, type Hash } from 'node:crypto';
import { type FileHandle, open, readFile, rm, writeFile } from 'node:fs/promises';

const READ_BYTES = 1 << 20;

/** The leading bytes of a file on its way, hashed as they come; `<path>.json` remembers which version of the file they belong to. */
export class PartialFile {
  readonly path: string;
  readonly #file: FileHandle;
  #hash: Hash = createHash('sha256');
  #etag: string | undefined;
  #length = 0;

  private constructor(path: string, file: FileHandle, etag: string | undefined) {
    this.path = path;
    this.#file = file;
    this.#etag = etag;
  }

  /** Opens a partial file and hashes what it already holds; without a remembered version it starts empty. */
  static async open(path: string, signal?: AbortSignal): Promise<PartialFile> {
    const etag = await readEtag(path);
    const part = new PartialFile(path, await open(path, 'a+'), etag);
    try {
      if (etag === undefined) await part.#file.truncate(0);
      await part.#hashExisting(signal);
    } catch (error) {
      await part.close();
      throw error;
    }
    return part;
  }

  /** Bytes received so far. */
  get length(): number {
    return this.#length;
  }

  /** Whether the bytes here belong to the version that a server names now. */
  matches(etag: string | undefined): boolean {
    return etag !== undefined && etag === this.#etag;
  }

  /** Notes the version before its bytes are written. A server without one cannot be resumed. */
  async remember(etag: string | undefined): Promise<void> {
    this.#etag = etag;
    if (etag === undefined) await this.forget();
    else await writeFile(`${this.path}.json`, JSON.stringify({ etag }));
  }

  async append(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; ) at += (await this.#file.write(bytes, at, bytes.length - at)).bytesWritten;
    this.#hash.update(bytes);
    this.#length += bytes.length;
  }

  /** Throws away what is here. */
  async restart(): Promise<void> {
    await this.#file.truncate(0);
    this.#hash = createHash('sha256');
    this.#length = 0;
  }

  /** Digest of all bytes; may be asked for once. */
  sha256(): string {
    return this.#hash.digest('hex');
  }

  async sync(): Promise<void> {
    await this.#file.sync();
  }

  async forget(): Promise<void> {
    await rm(`${this.path}.json`, { force: true });
  }

  async delete(): Promise<void> {
    await rm(this.path, { force: true });
    await this.forget();
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  async #hashExisting(signal: AbortSignal | undefined): Promise<void> {
    const buffer = new Uint8Array(READ_BYTES);
    for (;;) {
      signal?.throwIfAborted();
      const { bytesRead } = await this.#file.read(buffer, 0, READ_BYTES, this.#length);
      if (bytesRead === 0) return;
      this.#hash.update(buffer.subarray(0, bytesRead));
      this.#length += bytesRead;
    }
  }
}

async function readEtag(path: string): Promise<string | undefined> {
  try {
    const { etag } = JSON.parse(await readFile(`${path}.json`, 'utf8')) as { etag?: unknown };
    return typeof etag === 'string' ? etag : undefined;
  } catch {
    return undefined;
  }
}
