import { lineChart } from '@kvasir/charts';
import type { OfflineResult } from './result.js';

/** Tokens per second over batch size, a line for each engine; `undefined` when fewer than two sizes were measured. */
export function drawBatch(model: string, results: readonly OfflineResult[]): string | undefined {
  const points = new Map<string, { x: number; y: number }[]>();
  for (const { work, tokensPerSecond } of results.filter((result) => result.model === model)) {
    if (work.kind !== 'decode') continue;
    for (const [engine, rate] of Object.entries(tokensPerSecond)) {
      points.set(engine, [...(points.get(engine) ?? []), { x: work.batch, y: rate.median }]);
    }
  }
  const series = [...points].map(([name, each]) => ({ name, points: each }));
  if (Math.max(0, ...series.map((each) => each.points.length)) < 2) return undefined;
  return lineChart({
    title: `Decode of ${model}, 2 threads`,
    xLabel: 'sequences',
    yLabel: 'tokens/s (median)',
    xScale: 'log2',
    series,
  });
}
