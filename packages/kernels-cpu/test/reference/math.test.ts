import { describe, expect, it } from 'vitest';
import { activate, erf, linear, rmsNorm, rope, softcap, weightedSum } from '../../src/reference/math.js';

describe('the formulas of the reference backend', () => {
  it.each([
    [0, 0],
    [0.1, 0.1124629160182849],
    [0.5, 0.5204998778130465],
    [1, 0.8427007929497149],
    [2, 0.9953222650189527],
    [2.5, 0.999593047982555],
    [3, 0.9999779095030014],
    [-1, -0.8427007929497149],
    [7, 1],
  ])('erf(%d) is the tabulated value', (x, value) => {
    expect(erf(x)).toBeCloseTo(value, 14);
  });

  it('activations have their known values', () => {
    expect(activate('silu', 1)).toBeCloseTo(0.7310585786300049, 14);
    expect(activate('gelu', 1)).toBeCloseTo(0.8413447460685429, 14);
    expect(activate('gelu-tanh', 1)).toBeCloseTo(0.8411919906082768, 14);
    expect(softcap(100, 30)).toBeCloseTo(30 * Math.tanh(100 / 30), 14);
  });

  it('a norm has mean square 1 before its weight, run by run', () => {
    const out = new Float64Array(4);
    rmsNorm(new Float64Array([3, 4, 6, 8]), new Float64Array([1, 1]), 0, 0, out);
    expect((out[0]! ** 2 + out[1]! ** 2) / 2).toBeCloseTo(1, 14);
    expect([...out.slice(2)]).toEqual([...out.slice(0, 2)]);
    rmsNorm(new Float64Array([3, 4]), new Float64Array([1, 0]), 0, 1, out.subarray(0, 2));
    expect(out[0]).toBeCloseTo((2 * 3) / Math.sqrt(12.5), 14);
  });

  it('a rotation turns each pair by its angle and keeps its length', () => {
    const value = new Float64Array([1, 0, 0, 2]);
    rope(value, { inverseFrequencies: [1, 0.5], attentionFactor: 1 }, 4, 3);
    expect(value[0]).toBeCloseTo(Math.cos(3), 14);
    expect(value[2]).toBeCloseTo(Math.sin(3), 14);
    expect(Math.hypot(value[1]!, value[3]!)).toBeCloseTo(2, 14);
    expect(value[1]).toBeCloseTo(-2 * Math.sin(1.5), 14);
  });

  it('a linear is rows times input, and attention a weighted mean', () => {
    const out = new Float64Array(2);
    const weight = { numRows: 2, numColumns: 2, values: new Float64Array([1, 2, 3, 4]) };
    linear(new Float64Array([5, 6]), weight, { numRows: 1, numColumns: 2, values: new Float64Array([0.5, 0]) }, out);
    expect([...out]).toEqual([17.5, 39]);
    const rows = [new Float64Array([1]), new Float64Array([3])];
    const mean = new Float64Array(1);
    weightedSum(new Float64Array([Math.log(1), Math.log(3)]), (index) => rows[index]!, mean);
    expect(mean[0]).toBeCloseTo(2.5, 14);
  });
});
