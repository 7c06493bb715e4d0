import { element, label } from './svg.js';

/** Size of every chart in pixels, and the room around the plotted area. */
export const FRAME = { width: 720, height: 400, left: 72, right: 24, top: 48, bottom: 84 } as const;

/** Colours that stay apart for readers with common colour-vision deficiencies, also in print. */
const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#7f7f7f', '#000000'] as const;

/** Colour of the `index`-th series. */
export function colour(index: number): string {
  return COLOURS[index % COLOURS.length] as string;
}

/** Title above the plotted area, names of the axes beside it. */
export function captions(title: string, xLabel: string, yLabel: string): string[] {
  const { width, height, left, right, top, bottom } = FRAME;
  const middle = (top + height - bottom) / 2;
  return [
    label(title, { x: left, y: 24, 'font-size': 15, 'font-weight': 600 }),
    label(xLabel, { x: (left + width - right) / 2, y: height - bottom + 38, 'text-anchor': 'middle' }),
    label(yLabel, { x: 16, y: middle, 'text-anchor': 'middle', transform: `rotate(-90 16 ${middle})` }),
  ];
}

/** Names of the series in their colours, in one row that wraps below the x axis. */
export function legend(names: readonly string[]): string[] {
  const { left, width, right, height } = FRAME;
  let x: number = left;
  let y = height - 26;
  return names.flatMap((name, index) => {
    // Wide enough for an average character at 12 px.
    const needed = 26 + 7 * name.length;
    if (x + needed > width - right && x > left) {
      x = left;
      y += 18;
    }
    const at = x;
    x += needed;
    return [
      element('rect', { x: at, y: y - 9, width: 10, height: 10, fill: colour(index) }),
      label(name, { x: at + 15, y }),
    ];
  });
}

/** Horizontal grid lines with their values. */
export function yGrid(ticks: readonly number[], place: (value: number) => number, format: (value: number) => string) {
  const { left, right, width } = FRAME;
  return ticks.flatMap((tick) => {
    const y = place(tick);
    return [
      element('line', { x1: left, x2: width - right, y1: y, y2: y, stroke: '#ddd' }),
      label(format(tick), { x: left - 8, y: y + 4, 'text-anchor': 'end', fill: '#444' }),
    ];
  });
}

/** Values along the x axis. */
export function xTicks(ticks: readonly { readonly at: number; readonly text: string }[]): string[] {
  const y = FRAME.height - FRAME.bottom;
  const { left, right, width } = FRAME;
  return [
    element('line', { x1: left, x2: width - right, y1: y, y2: y, stroke: '#444' }),
    ...ticks.map(({ at, text }) => label(text, { x: at, y: y + 18, 'text-anchor': 'middle', fill: '#444' })),
  ];
}
