// The two charts of a report, as SVG text that any browser shows.
import { barChart, lineChart } from '@kvasir/charts';

const decode = lineChart({
  title: 'Decode',
  xLabel: 'sequences',
  yLabel: 'tokens/s',
  xScale: 'log2',
  series: [
    { name: 'with batching', points: [1, 2, 4, 8].map((x) => ({ x, y: 100 * x ** 0.8 })) },
    { name: 'one at a time', points: [1, 2, 4, 8].map((x) => ({ x, y: 100 })) },
  ],
});
const step = barChart({
  title: 'One step',
  xLabel: 'sequences',
  yLabel: 'ms',
  bars: [1, 8].map((batch) => ({
    name: String(batch),
    segments: [
      { name: 'linear', value: 2 + batch / 4 },
      { name: 'attention', value: batch / 8 },
    ],
  })),
});
for (const svg of [decode, step]) {
  console.log(`${svg.length} characters`, svg.slice(0, 40));
  if (!svg.startsWith('<svg ')) throw new Error('not an SVG');
}
