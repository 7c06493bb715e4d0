import { scaleBand, scaleLinear } from 'd3-scale';
import { captions, colour, FRAME, legend, xTicks, yGrid } from './frame.js';
import { drawing, element } from './svg.js';

/** One part of a bar. */
export interface BarSegment {
  /** Parts of equal name have one colour over all bars. */
  readonly name: string;
  readonly value: number;
}

/** A bar of parts, the first at the bottom. */
export interface StackedBar {
  readonly name: string;
  readonly segments: readonly BarSegment[];
}

/** What {@link barChart} draws. */
export interface BarChart {
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly bars: readonly StackedBar[];
}

/**
 * Stacked bars side by side; the y axis starts at 0.
 * @returns An SVG document of 720 x 400 pixels.
 * @throws RangeError When there is no bar, two bars have one name, or a value is negative or not finite.
 */
export function barChart(chart: BarChart): string {
  checkBars(chart);
  const { width, height, left, right, top, bottom } = FRAME;
  const names = [...new Set(chart.bars.flatMap(({ segments }) => segments.map(({ name }) => name)))];
  const x = scaleBand()
    .domain(chart.bars.map(({ name }) => name))
    .range([left, width - right])
    .padding(0.3);
  const y = scaleLinear()
    .domain([0, Math.max(...chart.bars.map(total), Number.MIN_VALUE)])
    .nice()
    .range([height - bottom, top]);
  const drawn = chart.bars.flatMap((bar) => {
    let below = 0;
    return bar.segments.map(({ name, value }) => {
      const from = y(below);
      below += value;
      const to = y(below);
      const fill = colour(names.indexOf(name));
      return element('rect', { x: x(bar.name) as number, y: to, width: x.bandwidth(), height: from - to, fill });
    });
  });
  const middles = chart.bars.map(({ name }) => ({ at: (x(name) as number) + x.bandwidth() / 2, text: name }));
  return drawing(width, height, chart.title, [
    ...captions(chart.title, chart.xLabel, chart.yLabel),
    ...yGrid(y.ticks(6), y, y.tickFormat(6)),
    ...xTicks(middles),
    ...drawn,
    ...legend(names),
  ]);
}

function total({ segments }: StackedBar): number {
  return segments.reduce((sum, { value }) => sum + value, 0);
}

function checkBars({ title, bars }: BarChart): void {
  if (bars.length === 0) throw new RangeError(`chart '${title}' has no bars: give at least one`);
  if (new Set(bars.map(({ name }) => name)).size < bars.length) {
    throw new RangeError(`chart '${title}' has two bars of one name: give each its own`);
  }
  for (const { name, segments } of bars) {
    for (const { name: part, value } of segments) {
      if (Number.isFinite(value) && value >= 0) continue;
      throw new RangeError(`chart '${title}' has ${value} as '${part}' of '${name}': expected a number from 0`);
    }
  }
}
