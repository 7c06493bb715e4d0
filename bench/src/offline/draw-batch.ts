import { lineChart } from '@kvasir/charts';
import type { OfflineResult } from './result.js';

/** Tokens per second over batch size, a line for each engine and context; `undefined` when fewer than two sizes were measured. */
export function drawBatch(model: string, results: readonly OfflineResult[], threads: number): string | undefined {
  const points = new Map<string, { x: number; y: number }[]>();
  const own = results.filter((result) => result.model === model);
  const contexts = new Set(own.map(({ work }) => (work.kind === 'decode' ? work.promptTokens : 0)));
  for (const { work, tokensPerSecond } of own) {
    if (work.kind !== 'decode') continue;
    for (const [engine, rate] of Object.entries(tokensPerSecond)) {
      const line = contexts.size === 1 ? engine : `${engine} @ ${work.promptTokens}`;
      points.set(line, [...(points.get(line) ?? []), { x: work.batch, y: rate.median }]);
    }
  }
  const series = [...points].map(([name, each]) => ({ name, points: each }));
  if (Math.max(0, ...series.map((each) => each.points.length)) < 2) return undefined;
  return lineChart({
    title: `Decode of ${model}, ${threads} threads`,
    xLabel: 'sequences',
    yLabel: 'tokens/s (median)',
    xScale: 'log2',
    series,
  });
}
