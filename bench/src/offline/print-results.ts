import { printTable } from '../report.js';
import { workName } from '../workload.js';
import type { OfflineResult } from './result.js';

/** Prints a row for each engine and work; shares of the machine's ceilings stand with our own figure. */
export function printResults(results: readonly OfflineResult[]): void {
  const rows = [['model', 'work', 'engine', 'tok/s median', 'min..max', 'Kvasir / engine', 'of bandwidth', 'of int8']];
  for (const { model, work, tokensPerSecond, ratio, shares } of results) {
    Object.entries(tokensPerSecond).forEach(([engine, rate], index) => {
      const over = ratio[engine];
      rows.push([
        model,
        workName(work),
        engine,
        rate.median.toFixed(1),
        `${rate.min.toFixed(1)}..${rate.max.toFixed(1)}`,
        over === undefined ? '' : `${over.median.toFixed(2)}x (${over.min.toFixed(2)}..${over.max.toFixed(2)})`,
        index === 0 ? percent(shares.ofReadBandwidth) : '',
        index === 0 && shares.ofInt8Peak !== undefined ? percent(shares.ofInt8Peak) : '',
      ]);
    });
  }
  printTable(rows);
}

function percent(share: number): string {
  return `${(100 * share).toFixed(0)} %`;
}
