import { join } from 'node:path';
import { BLOCK_ENCODINGS, DENSE_ENCODINGS } from '@kvasir/quant';
import { describe, expect, it } from 'vitest';
import {
  type GgufWriteValue,
  readGgufCheckpoint,
  readSafetensorsCheckpoint,
  writeGguf,
  writeSafetensors,
} from '../src/index.js';
import { temporaryFolder } from './support/temporary-folder.js';

const folder = temporaryFolder();

describe('writeGguf', () => {
  it('writes every kind of value so that it reads back the same', async () => {
    const metadata: Record<string, GgufWriteValue> = {
      text: 'Ġ 日本',
      yes: true,
      count: 7,
      fraction: 0.5,
      u8: { type: 'u8', value: 255 },
      i8: { type: 'i8', value: -1 },
      u16: { type: 'u16', value: 65_535 },
      i16: { type: 'i16', value: -2 },
      i32: { type: 'i32', value: -3 },
      u64: { type: 'u64', value: 2n ** 64n - 1n },
      i64: { type: 'i64', value: -4 },
      f64: { type: 'f64', value: 0.1 },
      strings: { elementType: 'string', values: ['a', 'é'] },
      integers: { elementType: 'i32', values: Int32Array.of(-5, 6) },
      floats: { elementType: 'f32', values: Float32Array.of(0.25, 1) },
      booleans: { elementType: 'bool', values: [true, false] },
      longs: { elementType: 'u64', values: [1, 2] },
    };
    const path = join(folder, 'values.gguf');
    await writeGguf(path, { metadata, tensors: [] });
    const plain = (value: GgufWriteValue) => (typeof value === 'object' && 'type' in value ? value.value : value);
    const read = readGgufCheckpoint(path).metadata;
    expect(Object.fromEntries(read)).toEqual(
      Object.fromEntries(Object.entries(metadata).map(([key, value]) => [key, plain(value)])),
    );
  });

  it('aligns tensors to 32 bytes and makes their bytes when their turn comes', async () => {
    const path = join(folder, 'tensors.gguf');
    const made: string[] = [];
    const tensors = ['a', 'b'].map((name) => ({
      name,
      shape: [1, 32],
      encoding: BLOCK_ENCODINGS.q4_0,
      data: () => {
        made.push(name);
        return new Uint8Array(18);
      },
    }));
    await writeGguf(path, { metadata: {}, tensors });
    const read = [...readGgufCheckpoint(path).tensors.values()];
    expect(made).toEqual(['a', 'b']);
    expect(read.map(({ bytes, encoding }) => [bytes.offset % 32, bytes.length, encoding])).toEqual(
      new Array(2).fill([0, 18, BLOCK_ENCODINGS.q4_0]),
    );
  });
});

describe('writeSafetensors', () => {
  const tensor = { name: 'a', shape: [3], encoding: DENSE_ENCODINGS.bf16, data: new Uint8Array(6) };

  it('writes what reads back', async () => {
    const path = join(folder, 'a.safetensors');
    await writeSafetensors(path, [tensor], { format: 'pt' });
    const { tensors, metadata } = readSafetensorsCheckpoint(path);
    expect(metadata).toEqual({ format: 'pt' });
    expect(tensors.get('a')).toMatchObject({ shape: [3], dtype: 'bf16', encoding: DENSE_ENCODINGS.bf16 });
  });

  it('refuses encodings that it has no name for, and bytes that do not fit', async () => {
    const path = join(folder, 'b.safetensors');
    await expect(writeSafetensors(path, [{ ...tensor, shape: [32], encoding: BLOCK_ENCODINGS.q8_0 }])).rejects.toThrow(
      'no dtype for the encoding q8_0',
    );
    await expect(writeSafetensors(path, [{ ...tensor, shape: [4] }])).rejects.toThrow(
      'tensor a: got 6 bytes, expected 8 for bf16 [4]',
    );
  });
});
