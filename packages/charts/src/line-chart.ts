import { scaleLinear, scaleLog } from 'd3-scale';
import { line } from 'd3-shape';
import { captions, colour, FRAME, legend, xTicks, yGrid } from './frame.js';
import { drawing, element } from './svg.js';

/** One line: points in the order in which they are joined. */
export interface LineSeries {
  readonly name: string;
  readonly points: readonly { readonly x: number; readonly y: number }[];
  /** Mark each point. Default: up to 32 points. */
  readonly marks?: boolean;
}

/** What {@link lineChart} draws. */
export interface LineChart {
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly series: readonly LineSeries[];
  /** `log2` labels the x values that occur, for sizes that double. Default `linear`. */
  readonly xScale?: 'linear' | 'log2';
}

/**
 * Lines over a common x axis; the y axis starts at 0.
 * @returns An SVG document of 720 x 400 pixels.
 * @throws RangeError When there is no point, a value is not finite, or `log2` meets an x that is not positive.
 */
export function lineChart(chart: LineChart): string {
  const points = chart.series.flatMap((series) => series.points);
  checkPoints(chart, points);
  const { width, height, left, right, top, bottom } = FRAME;
  const xs = points.map(({ x }) => x);
  const domain = [Math.min(...xs), Math.max(...xs)];
  const isLog = chart.xScale === 'log2';
  const x = (isLog ? scaleLog().base(2) : scaleLinear()).domain(widened(domain)).range([left, width - right]);
  const y = scaleLinear()
    .domain([0, Math.max(...points.map((point) => point.y), Number.MIN_VALUE)])
    .nice()
    .range([height - bottom, top]);
  const ticks = isLog ? [...new Set(xs)].sort((a, b) => a - b) : x.ticks(8);
  const path = line<{ x: number; y: number }>(
    (point) => x(point.x),
    (point) => y(point.y),
  );
  const lines = chart.series.flatMap((series, index) => {
    const stroke = colour(index);
    const drawn = element('path', { d: path([...series.points]) ?? '', fill: 'none', stroke, 'stroke-width': 2 });
    const isMarked = series.marks ?? series.points.length <= 32;
    const marks = isMarked
      ? series.points.map((point) => element('circle', { cx: x(point.x), cy: y(point.y), r: 3.5, fill: stroke }))
      : [];
    return [drawn, ...marks];
  });
  return drawing(width, height, chart.title, [
    ...captions(chart.title, chart.xLabel, chart.yLabel),
    ...yGrid(y.ticks(6), y, y.tickFormat(6)),
    ...xTicks(ticks.map((tick) => ({ at: x(tick), text: isLog ? String(tick) : x.tickFormat(8)(tick) }))),
    ...lines,
    ...legend(chart.series.map(({ name }) => name)),
  ]);
}

function checkPoints(
  { title, xScale }: LineChart,
  points: readonly { readonly x: number; readonly y: number }[],
): void {
  if (points.length === 0) throw new RangeError(`chart '${title}' has no points: give at least one series with one`);
  for (const { x, y } of points) {
    if (!Number.isFinite(x) || !Number.isFinite(y) || y < 0 || (xScale === 'log2' && x <= 0)) {
      throw new RangeError(
        `chart '${title}' has the point (${x}, ${y}): expected finite numbers, y from 0${xScale === 'log2' ? ', x above 0' : ''}`,
      );
    }
  }
}

/** A single x still needs an extent. */
function widened([low, high]: number[]): [number, number] {
  return low === high ? [(low as number) / 2 || -1, (high as number) * 2 || 1] : [low as number, high as number];
}
