import { describe, expect, it } from 'vitest';
import { barChart, lineChart } from '../src/index.js';

const line = { title: 'Decode', xLabel: 'sequences', yLabel: 'tokens/s' };

describe('lineChart', () => {
  it('puts points where the scales say', () => {
    const points = [1, 2, 4, 8].map((x) => ({ x, y: 100 * x }));
    const svg = lineChart({ ...line, xScale: 'log2', series: [{ name: 'a', points }] });
    const xs = [...svg.matchAll(/<circle cx="([\d.]+)" cy="([\d.]+)"/g)].map((match) => [
      Number(match[1]),
      Number(match[2]),
    ]);
    // Doubling is an equal step to the right; height is proportional to the value.
    expect(xs.map(([x]) => x)).toEqual([72, 280, 488, 696]);
    const ground = 400 - 84;
    const heights = xs.map(([, y]) => ground - (y as number));
    for (const [i, height] of heights.entries()) expect(height / (heights[0] as number)).toBeCloseTo(2 ** i, 1);
  });

  it('draws one point and constant zero', () => {
    const svg = lineChart({ ...line, series: [{ name: 'a', points: [{ x: 0, y: 0 }] }] });
    expect(svg).not.toMatch(/NaN|Infinity/);
  });

  it('refuses what cannot be drawn', () => {
    expect(() => lineChart({ ...line, series: [] })).toThrow(/no points/);
    expect(() => lineChart({ ...line, series: [{ name: 'a', points: [{ x: 1, y: Number.NaN }] }] })).toThrow(/NaN/);
    const negative = [{ name: 'a', points: [{ x: 0, y: 1 }] }];
    expect(() => lineChart({ ...line, xScale: 'log2', series: negative })).toThrow(/x above 0/);
  });
});

describe('barChart', () => {
  const chart = { title: 'Step', xLabel: 'sequences', yLabel: 'ms' };

  it('stacks parts to the total', () => {
    const segments = [
      { name: 'linear', value: 3 },
      { name: 'attention', value: 1 },
    ];
    const svg = barChart({ ...chart, bars: [{ name: '1', segments }] });
    const rects = [...svg.matchAll(/<rect x="[\d.]+" y="([\d.]+)" width="[\d.]+" height="([\d.]+)" fill="#/g)];
    const [first, second] = rects.map((match) => ({ y: Number(match[1]), height: Number(match[2]) }));
    expect(first?.height).toBeCloseTo(3 * (second?.height as number), 1);
    expect((second?.y as number) + (second?.height as number)).toBeCloseTo(first?.y as number, 1);
  });

  it('refuses what cannot be drawn', () => {
    expect(() => barChart({ ...chart, bars: [] })).toThrow(/no bars/);
    const bar = { name: '1', segments: [{ name: 'a', value: -1 }] };
    expect(() => barChart({ ...chart, bars: [bar] })).toThrow(/-1 as 'a' of '1'/);
    expect(() => barChart({ ...chart, bars: [{ ...bar, segments: [] }, bar] })).toThrow(/two bars/);
  });
});

it('escapes names', () => {
  const svg = lineChart({ ...line, title: '<b>&"\u0000', series: [{ name: '<i>', points: [{ x: 1, y: 1 }] }] });
  expect(svg).toContain('&lt;b&gt;&amp;&quot;');
  expect(svg).not.toContain('<i>');
  expect(svg).not.toContain('\u0000');
});
