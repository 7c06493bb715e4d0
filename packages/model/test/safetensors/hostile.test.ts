import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { InvalidCheckpointError, readSafetensorsCheckpoint } from '../../src/index.js';
import { temporaryFolder } from '../support/temporary-folder.js';

const folder = temporaryFolder();

function file(header: string | Buffer, dataBytes: number, length = Buffer.byteLength(header)): Buffer {
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(length));
  return Buffer.concat([size, Buffer.from(header), Buffer.alloc(dataBytes)]);
}

const tensors = (entries: Record<string, unknown>, dataBytes: number) => file(JSON.stringify(entries), dataBytes);
const f32 = (begin: number, end: number, shape = [(end - begin) / 4]) => ({
  dtype: 'F32',
  shape,
  data_offsets: [begin, end],
});

function read(bytes: Buffer) {
  const path = join(folder, 'hostile.safetensors');
  writeFileSync(path, bytes);
  return () => readSafetensorsCheckpoint(path);
}

describe('valid files', () => {
  it('are read: scalars, empty tensors, metadata, trailing spaces', () => {
    const header = `${JSON.stringify({ __metadata__: { format: 'pt' }, b: f32(4, 12, [2]), a: f32(0, 4, []), empty: f32(12, 12, [0, 7]) })}   `;
    const checkpoint = read(file(header, 12))();
    expect(checkpoint.metadata).toEqual({ format: 'pt' });
    expect(
      [...checkpoint.tensors.values()].map(({ name, shape, bytes }) => [
        name,
        shape,
        bytes.offset - 8 - header.length,
        bytes.length,
      ]),
    ).toEqual([
      ['a', [], 0, 4],
      ['b', [2], 4, 8],
      ['empty', [0, 7], 12, 0],
    ]);
  });

  it('may hold types that are not decoded, without an encoding', () => {
    const { tensors: read1 } = read(tensors({ q: { dtype: 'F8_E4M3', shape: [4], data_offsets: [0, 4] } }, 4))();
    expect(read1.get('q')).toMatchObject({ dtype: 'f8_e4m3', shape: [4] });
    expect(read1.get('q')).not.toHaveProperty('encoding');
  });
});

describe('hostile headers', () => {
  const nested = `{"a":${'['.repeat(20)}${']'.repeat(20)}}`;
  const cases: [string, Buffer, string][] = [
    ['empty file', Buffer.alloc(0), 'header length: file is truncated: it ends at byte 0, 8 needed'],
    [
      'length of 2^63',
      Buffer.concat([Buffer.alloc(7), Buffer.of(0x80), Buffer.alloc(64)]),
      'header length: got 9223372036854775808, expected 2 to 100000000',
    ],
    ['length above the cap', file('{}', 0, 100_000_001), 'header length: got 100000001'],
    ['length above the file', file('{}', 0, 500), 'header: file is truncated: it ends at byte 10, 508 needed'],
    ['no object', file('[1]', 0), 'header: does not start with {'],
    ['not JSON', file('{nope', 0), 'header: is not valid JSON'],
    ['not UTF-8', file(Buffer.of(0x7b, 0xff, 0x7d), 0), 'header: is not valid UTF-8'],
    ['nested too deep', file(nested, 0), 'header: JSON is nested deeper than 8 at character 12'],
    ['a million brackets', file(`{"a":${'['.repeat(1_000_000)}`, 0), 'header: JSON is nested deeper than 8'],
    ['duplicate tensor', file('{"a":{},"a":{}}', 0), "header: the key 'a' occurs twice"],
    ['duplicate by escape', file('{"a":{},"\\u0061":{}}', 0), "header: the key 'a' occurs twice"],
    ['duplicate key inside', file('{"a":{"dtype":"F32","dtype":"F16"}}', 0), "header: the key 'dtype' occurs twice"],
    ['metadata with numbers', tensors({ __metadata__: { a: 1 } }, 0), '__metadata__: is no object of strings'],
    ['tensor that is a number', tensors({ a: 1 }, 0), 'tensor a: is no object of dtype, shape and data_offsets'],
    [
      'unknown dtype',
      tensors({ a: { dtype: 'F33', shape: [1], data_offsets: [0, 4] } }, 4),
      'tensor a: got dtype "F33", which is not known',
    ],
    [
      'dtype of the prototype',
      tensors({ a: { dtype: 'constructor', shape: [1], data_offsets: [0, 4] } }, 4),
      'tensor a: got dtype "constructor"',
    ],
    ['negative dimension', tensors({ a: f32(0, 4, [-1]) }, 4), 'tensor a: got a shape that is not up to 8 sizes'],
    ['fraction of a dimension', tensors({ a: f32(0, 4, [1.5]) }, 4), 'tensor a: got a shape'],
    ['shape that overflows', tensors({ a: f32(0, 4, [2 ** 40, 2 ** 40]) }, 4), 'which overflows 2^53 bits'],
    [
      'offsets that end first',
      tensors({ a: f32(4, 0, [1]) }, 4),
      'tensor a: got data_offsets [4, 0], which end before they begin',
    ],
    [
      'offset beyond 2^53',
      tensors({ a: f32(0, 2 ** 60, [1]) }, 4),
      'tensor a: got data_offsets that are not two byte positions',
    ],
    [
      'bytes that do not fit the shape',
      tensors({ a: f32(0, 8, [3]) }, 8),
      'tensor a: got 8 bytes for F32 [3], expected 12',
    ],
    [
      'part of a byte',
      tensors({ a: { dtype: 'F4', shape: [3], data_offsets: [0, 2] } }, 2),
      'tensor a: got 2 bytes for F4 [3], expected 1.5',
    ],
    [
      'hole',
      tensors({ a: f32(0, 4), b: f32(8, 12) }, 12),
      'tensor b: starts at 8 of the data, which leaves a hole of 4 bytes before it',
    ],
    ['overlap', tensors({ a: f32(0, 8), b: f32(4, 12) }, 12), 'tensor b: starts at 4 of the data, which overlaps'],
    [
      'truncated data',
      tensors({ a: f32(0, 4), b: f32(4, 12) }, 11),
      'tensor b: file is truncated: it holds 11 bytes of data, this tensor needs bytes up to 12',
    ],
    [
      'more data than tensors',
      tensors({ a: f32(0, 4) }, 8),
      'file size: got 8 bytes of data, expected 4 from the header',
    ],
  ];

  it.each(cases)('%s', (_, bytes, message) => {
    let error: unknown;
    try {
      read(bytes)();
    } catch (caught) {
      error = caught;
    }
    expect(error).toBeInstanceOf(InvalidCheckpointError);
    expect((error as Error).message).toContain(message);
  });
});
