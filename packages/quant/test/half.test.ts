import { describe, expect, it } from 'vitest';
import { bf16ToNumber, f16ToNumber, numberToBf16, numberToF16 } from '../src/index.js';

describe('binary16', () => {
  it.each([
    [0x0000, 0],
    [0x0001, 2 ** -24],
    [0x03ff, 1023 * 2 ** -24],
    [0x0400, 2 ** -14],
    [0x3555, 0.333251953125],
    [0x3c00, 1],
    [0xc000, -2],
    [0x7bff, 65504],
    [0x7c00, Number.POSITIVE_INFINITY],
    [0xfc00, Number.NEGATIVE_INFINITY],
  ])('%s is %s', (bits, value) => {
    expect(f16ToNumber(bits)).toBe(value);
  });

  it('returns every one of the 65536 values to its bits', () => {
    const wrong: number[] = [];
    for (let bits = 0; bits < 65_536; bits++) {
      const value = f16ToNumber(bits);
      if (Number.isNaN(value) ? !Number.isNaN(f16ToNumber(numberToF16(value))) : numberToF16(value) !== bits)
        wrong.push(bits);
    }
    expect(wrong).toEqual([]);
  });

  it('rounds to the nearest of any two neighbours, and ties to even', () => {
    const wrong: number[] = [];
    for (let bits = 0; bits < 0x7bff; bits++) {
      const low = f16ToNumber(bits);
      const high = f16ToNumber(bits + 1);
      const middle = (low + high) / 2;
      const even = bits % 2 === 0 ? bits : bits + 1;
      const quarter = numberToF16(low + (high - low) / 4) === bits && numberToF16(high - (high - low) / 4) === bits + 1;
      if (!quarter || numberToF16(middle) !== even) wrong.push(bits);
    }
    expect(wrong).toEqual([]);
  });

  it('overflows to infinity half a step above 65504', () => {
    expect(numberToF16(65_519.99)).toBe(0x7bff);
    expect(numberToF16(65_520)).toBe(0x7c00);
    expect(numberToF16(-1e9)).toBe(0xfc00);
  });
});

describe('bfloat16', () => {
  it.each([
    [0x3f80, 1],
    [0xc049, -3.140625],
    [0x0001, 2 ** -133],
    [0x7f80, Number.POSITIVE_INFINITY],
  ])('%s is %s', (bits, value) => {
    expect(bf16ToNumber(bits)).toBe(value);
  });

  it('returns every one of the 65536 values to its bits, NaN to NaN', () => {
    const wrong: number[] = [];
    for (let bits = 0; bits < 65_536; bits++) {
      const value = bf16ToNumber(bits);
      if (Number.isNaN(value) ? !Number.isNaN(bf16ToNumber(numberToBf16(value))) : numberToBf16(value) !== bits)
        wrong.push(bits);
    }
    expect(wrong).toEqual([]);
  });

  it('rounds to nearest, ties to even', () => {
    expect(numberToBf16(1 + 2 ** -8)).toBe(0x3f80);
    expect(numberToBf16(1 + 3 * 2 ** -8)).toBe(0x3f82);
    expect(numberToBf16(1 + 2 ** -8 + 2 ** -20)).toBe(0x3f81);
  });
});
