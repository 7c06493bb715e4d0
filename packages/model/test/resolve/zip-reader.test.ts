import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fcParameters } from '@kvasir/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InvalidCheckpointError } from '../../src/index.js';
import { readZipMember } from '../../src/resolve/wheel/zip-reader.js';
import { makeZip } from '../support/fake-pip.js';
import { temporaryFolder } from '../support/temporary-folder.js';

const path = join(temporaryFolder(), 'test.zip');

async function read(bytes: Buffer, member: string): Promise<Buffer> {
  writeFileSync(path, bytes);
  const chunks: Uint8Array[] = [];
  for await (const chunk of readZipMember(path, member)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

const CONTENT = Buffer.from('weights '.repeat(50_000));
const ZIP = makeZip({ 'a/METADATA': Buffer.from('x'), 'a/model.gguf': CONTENT });

describe('readZipMember', () => {
  it.each([false, true])('streams a member (stored: %s)', async (store) => {
    const zip = makeZip({ first: Buffer.from('1'), 'a/model.gguf': CONTENT, last: Buffer.from('3') }, { store });
    expect((await read(zip, 'a/model.gguf')).equals(CONTENT)).toBe(true);
    expect(await read(zip, 'last')).toEqual(Buffer.from('3'));
  });

  it('finds the directory behind a comment', async () => {
    const zip = Buffer.concat([ZIP, Buffer.from('a comment of the archive')]);
    zip.writeUInt16LE(24, ZIP.length - 2);
    expect((await read(zip, 'a/model.gguf')).length).toBe(CONTENT.length);
  });

  const entryAt = ZIP.indexOf('PK\x01\x02', ZIP.indexOf('PK\x01\x02', 0, 'latin1') + 4, 'latin1');
  const changed = (at: number, value: number, bytes: 2 | 4) => {
    const zip = Buffer.from(ZIP);
    if (bytes === 2) zip.writeUInt16LE(value, at);
    else zip.writeUInt32LE(value, at);
    return zip;
  };

  it.each<[string, Buffer, string]>([
    [
      'another file',
      Buffer.from('not a zip file at all, but long enough'),
      'is no complete zip file: it has no directory',
    ],
    ['an empty file', Buffer.alloc(0), 'is no complete zip file'],
    ['a cut file', ZIP.subarray(0, ZIP.length - 30), 'is no complete zip file'],
    ['an archive without the member', makeZip({ other: CONTENT }), 'a/model.gguf: is not in the archive'],
    ['an encrypted member', changed(entryAt + 8, 1, 2), 'a/model.gguf: is encrypted'],
    ['an unknown method', changed(entryAt + 10, 12, 2), 'is packed by method 12, expected 0 or 8'],
    ['a zip64 member', changed(entryAt + 24, 0xffffffff, 4), 'is larger than 4 GiB'],
    ['a member larger than it says', changed(entryAt + 24, 10, 4), 'or more, the directory says 10'],
    [
      'a member smaller than it says',
      changed(entryAt + 24, CONTENT.length + 1, 4),
      `the directory says ${CONTENT.length + 1}`,
    ],
    ['a member elsewhere', changed(entryAt + 42, 5, 4), 'has no member at byte 5'],
    ['a member outside the file', changed(entryAt + 42, 0x7fffffff, 4), 'archive: ends at byte'],
    ['a directory outside the file', changed(ZIP.length - 6, 0x7fffffff, 4), 'lies outside the file'],
  ])('refuses %s', async (_, zip, message) => {
    const error = await read(zip, 'a/model.gguf').catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(InvalidCheckpointError);
    expect((error as Error).message).toContain(message);
  });

  it('ends in content or a typed error, whatever is damaged', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(ZIP.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 }),
        async (flips) => {
          const zip = Buffer.from(ZIP);
          for (const [at, value] of flips) zip[at] = value;
          const result = await read(zip, 'a/model.gguf').catch((caught: unknown) => caught);
          expect(result instanceof Buffer || result instanceof InvalidCheckpointError).toBe(true);
        },
      ),
      fcParameters(150),
    );
  });
});
