import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { InvalidCheckpointError, readGgufCheckpoint } from '../../src/index.js';
import { pair, rawGguf, tensor, text, u32, u64 } from '../support/raw-gguf.js';
import { temporaryFolder } from '../support/temporary-folder.js';

const folder = temporaryFolder();
const STRING = 8;
const ARRAY = 9;

function read(bytes: Buffer) {
  const path = join(folder, 'hostile.gguf');
  writeFileSync(path, bytes);
  return () => readGgufCheckpoint(path);
}

describe('a valid header', () => {
  it('is read', () => {
    const checkpoint = read(
      rawGguf({ pairs: [pair('a.b', STRING, text('x')), pair('c', ARRAY, u32(4), u64(2), u32(7), u32(8))] }),
    )();
    expect(checkpoint.metadata.get('a.b')).toBe('x');
    expect(checkpoint.metadata.get('c')).toEqual({ elementType: 'u32', values: [7, 8] });
    expect(checkpoint.tensors.get('t')).toMatchObject({ shape: [32], dtype: 'f32', bytes: { file: 0, length: 128 } });
  });

  it('may be of version 2, have gaps between tensors and an alignment of its own', () => {
    const tensors = [tensor({ name: 'b', offset: 256 }), tensor({ name: 'a' })];
    const checkpoint = read(
      rawGguf({ version: 2, pairs: [pair('general.alignment', 4, u32(64))], tensors, dataBytes: 512 }),
    )();
    const [b, a] = [checkpoint.tensors.get('b'), checkpoint.tensors.get('a')];
    expect((b?.bytes.offset ?? 0) - (a?.bytes.offset ?? 0)).toBe(256);
    expect((a?.bytes.offset ?? 1) % 64).toBe(0);
  });

  it('names dimensions slowest first', () => {
    expect(
      read(rawGguf({ tensors: [tensor({ dimensions: [32, 3, 2] })], dataBytes: 768 }))().tensors.get('t')?.shape,
    ).toEqual([2, 3, 32]);
  });

  it('keeps 64-bit integers beyond 2^53 exact', () => {
    const { metadata } = read(rawGguf({ pairs: [pair('big', 10, u64(2n ** 63n)), pair('small', 11, u64(5))] }))();
    expect([metadata.get('big'), metadata.get('small')]).toEqual([2n ** 63n, 5]);
  });
});

describe('hostile headers', () => {
  const longKey = Buffer.alloc(65_536, 97);
  const cases: [string, Buffer, string][] = [
    ['empty file', Buffer.alloc(0), 'magic: file is truncated: it ends at byte 0, 4 needed'],
    ['three bytes', Buffer.from('GGU'), 'magic: file is truncated: it ends at byte 3, 4 needed'],
    [
      'another format',
      rawGguf({ magic: 'PK\x03\x04' }),
      'magic: got 0x04034b50, expected 0x46554747 ("GGUF"): this is not a GGUF file',
    ],
    ['version 1', rawGguf({ version: 1 }), 'version: got 1, expected 2 or 3'],
    ['version 4', rawGguf({ version: 4 }), 'version: got 4, expected 2 or 3'],
    ['big-endian', rawGguf({ version: 0x03000000 }), 'version: the file is big-endian'],
    [
      'header cut in the counts',
      rawGguf().subarray(0, 20),
      'key count: file is truncated: it ends at byte 20, 24 needed',
    ],
    [
      '2^60 tensors',
      rawGguf({ numTensors: 2n ** 60n }),
      'tensor count: got 1152921504606846976 at byte 8, expected at most 2^53 - 1',
    ],
    ['more tensors than fit', rawGguf({ numTensors: 1_000_000 }), 'tensor count: got 1000000, expected at most'],
    ['negative tensor count', rawGguf({ numTensors: 2n ** 64n - 1n }), 'tensor count: got 18446744073709551615'],
    ['more keys than fit', rawGguf({ numPairs: 60_000 }), 'key count: got 60000, expected at most'],
    ['one tensor too many', rawGguf({ numTensors: 2 }), 'tensor 1: has no name'],
    ['one key too many', rawGguf({ numPairs: 1 }), 'tensor 0: has no name'],
    ['empty key', rawGguf({ pairs: [pair('', STRING, text('x'))] }), 'key 0: is empty'],
    [
      'duplicate key',
      rawGguf({ pairs: [pair('k', 7, Buffer.of(1)), pair('k', 7, Buffer.of(1))] }),
      'k: this key occurs twice',
    ],
    [
      'key of 65536 bytes',
      rawGguf({ pairs: [pair(longKey, 7, Buffer.of(1))] }),
      'key 0: got a string of 65536 bytes at byte 32, expected at most 65535',
    ],
    [
      'key that is not UTF-8',
      rawGguf({ pairs: [pair(Buffer.of(0xff, 0xfe), 7, Buffer.of(1))] }),
      'key 0: got bytes between 32 and 34 that are not valid UTF-8',
    ],
    ['unknown value type', rawGguf({ pairs: [pair('k', 13, u32(0))] }), 'k: got value type 13, expected 0 to 12'],
    ['boolean of 2', rawGguf({ pairs: [pair('k', 7, Buffer.of(2))] }), 'k: got the byte 2 for a boolean'],
    [
      'string of 2^40 bytes',
      rawGguf({ pairs: [pair('k', STRING, u64(2 ** 40))] }),
      'k: got a string of 1099511627776 bytes',
    ],
    [
      'string that passes the end',
      rawGguf({ pairs: [pair('k', STRING, u64(5000))] }),
      'k: file is truncated: it ends at byte',
    ],
    [
      'array of arrays',
      rawGguf({ pairs: [pair('k', ARRAY, u32(ARRAY), u64(1), u32(4), u64(0))] }),
      'k: is an array of arrays',
    ],
    [
      'array of 2^50',
      rawGguf({ pairs: [pair('k', ARRAY, u32(0), u64(2 ** 50))] }),
      'k: got 1125899906842624 elements of u8, but at most',
    ],
    [
      'array of strings that do not fit',
      rawGguf({ pairs: [pair('k', ARRAY, u32(STRING), u64(200))] }),
      'k: got 200 elements of string, but at most',
    ],
    [
      'array with an endless string',
      rawGguf({ pairs: [pair('k', ARRAY, u32(STRING), u64(2), text('ok'), u64(2n ** 62n))] }),
      'k[1]: got 4611686018427387904 at byte',
    ],
    [
      'array with a bad string',
      rawGguf({ pairs: [pair('k', ARRAY, u32(STRING), u64(2), text('ok'), text(Buffer.of(0xc3)))] }),
      'k: got bytes between',
    ],
    [
      'array with a bad long string',
      rawGguf({ pairs: [pair('k', ARRAY, u32(STRING), u64(1), text(Buffer.alloc(200, 0x80)))] }),
      'k: got bytes between',
    ],
    [
      'alignment 0',
      rawGguf({ pairs: [pair('general.alignment', 4, u32(0))] }),
      'general.alignment: got 0, expected a power of two up to 2^20',
    ],
    ['alignment 48', rawGguf({ pairs: [pair('general.alignment', 4, u32(48))] }), 'general.alignment: got 48'],
    [
      'alignment 2^31',
      rawGguf({ pairs: [pair('general.alignment', 4, u32(2 ** 31))] }),
      'general.alignment: got 2147483648',
    ],
    [
      'alignment as text',
      rawGguf({ pairs: [pair('general.alignment', STRING, text('32'))] }),
      'general.alignment: got 32',
    ],
    [
      'tensor name of 64 bytes',
      rawGguf({ tensors: [tensor({ name: 'n'.repeat(64) })] }),
      'tensor 0: got a string of 64 bytes',
    ],
    [
      'duplicate tensor',
      rawGguf({ tensors: [tensor(), tensor({ offset: 128 })], dataBytes: 256 }),
      'tensor t: occurs twice',
    ],
    [
      'no dimensions',
      rawGguf({ tensors: [tensor({ dimensions: [], numDimensions: 0 })], dataBytes: 200 }),
      'tensor t: got 0 dimensions, expected 1 to 4',
    ],
    [
      'five dimensions',
      rawGguf({ tensors: [tensor({ dimensions: [1, 1, 1, 1, 1] })] }),
      'tensor t: got 5 dimensions, expected 1 to 4',
    ],
    [
      '2^32 - 1 dimensions',
      rawGguf({ tensors: [tensor({ numDimensions: 2 ** 32 - 1 })] }),
      'tensor t: got 4294967295 dimensions',
    ],
    [
      'dimension of 0',
      rawGguf({ tensors: [tensor({ dimensions: [32, 0] })] }),
      'tensor t: got shape [32,0], expected no zero',
    ],
    [
      'dimension of -1',
      rawGguf({ tensors: [tensor({ dimensions: [2n ** 64n - 1n] })] }),
      'tensor t: got 18446744073709551615',
    ],
    [
      'shape that overflows',
      rawGguf({ tensors: [tensor({ dimensions: [2 ** 31, 2 ** 31] })] }),
      'tensor t: got shape [2147483648,2147483648], which overflows 2^53 bytes',
    ],
    [
      'removed tensor type',
      rawGguf({ tensors: [tensor({ type: 4 })] }),
      'tensor t: got tensor type 4, which is not a GGUF type',
    ],
    [
      'part of a block',
      rawGguf({ tensors: [tensor({ dimensions: [33], type: 2 })] }),
      'tensor t: got rows of 33 elements, expected whole q4_0 blocks of 32',
    ],
    [
      'unaligned offset',
      rawGguf({ tensors: [tensor({ offset: 8 })] }),
      'tensor t: got offset 8, expected a multiple of the alignment 32',
    ],
    ['offset of 2^63', rawGguf({ tensors: [tensor({ offset: 2n ** 63n })] }), 'tensor t: got 9223372036854775808'],
    [
      'overlapping tensors',
      rawGguf({ tensors: [tensor(), tensor({ name: 'u', offset: 96 })], dataBytes: 512 }),
      'tensor u: starts at 96 of the data, inside tensor t',
    ],
    ['truncated data', rawGguf({ dataBytes: 127 }), 'tensor t: file is truncated: it ends at byte'],
  ];

  it.each(cases)('%s', (_, bytes, message) => {
    let error: unknown;
    try {
      read(bytes)();
    } catch (caught) {
      error = caught;
    }
    expect(error).toBeInstanceOf(InvalidCheckpointError);
    expect((error as InvalidCheckpointError).code).toBe('ERR_INVALID_CHECKPOINT');
    expect((error as Error).message).toContain(`hostile.gguf: ${message}`);
  });

  it.runIf(process.platform !== 'win32')('a pipe that nobody writes to', () => {
    const path = join(folder, 'pipe.gguf');
    execFileSync('mkfifo', [path]);
    expect(() => readGgufCheckpoint(path)).toThrow(`${path}: file: is not a regular file`);
  });

  it('says where a truncated file ends and what the tensor needs', () => {
    const bytes = rawGguf({ dataBytes: 100 });
    expect(read(bytes)).toThrow(
      `it ends at byte ${bytes.length}, this tensor needs bytes up to ${bytes.length + 28}. Download it again`,
    );
  });
});
