import { UnsupportedError } from '@kvasir/interfaces';
import { describe, expect, it } from 'vitest';
import {
  BLOCK_ENCODINGS,
  DENSE_ENCODINGS,
  decodeRow,
  EncodingSizeError,
  encodedBytes,
  encodeRow,
  encodingBlockSize,
  encodingName,
} from '../src/index.js';

describe('sizes', () => {
  it('counts bytes in whole blocks', () => {
    expect(encodedBytes(DENSE_ENCODINGS.bf16, 7)).toBe(14);
    expect(encodedBytes(BLOCK_ENCODINGS.q4_1, 576)).toBe(360);
    expect(encodedBytes(BLOCK_ENCODINGS.q6_k, 2048)).toBe(1680);
    expect(encodingBlockSize(DENSE_ENCODINGS.f32)).toBe(1);
    expect(encodingBlockSize(BLOCK_ENCODINGS.q5_k)).toBe(256);
    expect([encodingName(DENSE_ENCODINGS.f16), encodingName(BLOCK_ENCODINGS.q4_k)]).toEqual(['f16', 'q4_k']);
  });

  it('refuses a part of a block', () => {
    expect(() => encodedBytes(BLOCK_ENCODINGS.q4_0, 33)).toThrow(
      'q4_0: got 33 elements, expected 64. A row is whole blocks of 32',
    );
    expect(() => encodeRow(BLOCK_ENCODINGS.q6_k, new Float32Array(32))).toThrow(EncodingSizeError);
  });

  it('refuses bytes that are too short or too long', () => {
    const call = (length: number) => () => decodeRow(BLOCK_ENCODINGS.q8_0, new Uint8Array(length), 64);
    expect(call(67)).toThrow('q8_0: got 67 bytes, expected 68. That is what 64 elements take');
    expect(call(69)).toThrow(EncodingSizeError);
    expect([...call(68)()]).toEqual(new Array(64).fill(0));
  });

  it('refuses grouped encodings', () => {
    const grouped = {
      kind: 'grouped',
      bits: 4,
      packOrder: 'sequential',
      groupSize: 128,
      scales: { dtype: 'f16' },
    } as const;
    expect(encodingName(grouped)).toBe('grouped-4');
    expect(() => decodeRow(grouped, new Uint8Array(4), 8)).toThrow(UnsupportedError);
    expect(() => encodeRow(grouped, new Float32Array(8))).toThrow(UnsupportedError);
  });
});
