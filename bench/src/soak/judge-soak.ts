import { median } from '../statistics.js';
import type { SoakReport } from './soak-server.js';

/** A server that grows by more than this from the second to the last quarter of a soak leaks. */
const MOST_GROWTH_BYTES = 64 * 2 ** 20;
/** Fewer samples than this say nothing about growth. */
const LEAST_SAMPLES = 40;

/** What is wrong with a soak, in words; empty when all is well. */
export function judgeSoak({ tally, stateAfter, exitCode, residentBytes }: SoakReport): string[] {
  const faults = tally.losses.map((loss) => `lost: ${loss}`);
  if (tally.of('complete') === 0) faults.push('no request was completed');
  const { running, waiting, kvCacheUsage } = stateAfter;
  if (running + waiting > 0) faults.push(`${running} requests run and ${waiting} wait although nobody asks`);
  if (kvCacheUsage > 0) faults.push(`an idle server holds ${100 * kvCacheUsage} % of its KV blocks`);
  if (exitCode !== 0) faults.push(`the server ended with ${exitCode === null ? 'a signal' : `exit code ${exitCode}`}`);
  if (residentBytes.length >= LEAST_SAMPLES) {
    const quarter = Math.floor(residentBytes.length / 4);
    const grown = median(residentBytes.slice(-quarter)) - median(residentBytes.slice(quarter, 2 * quarter));
    if (grown > MOST_GROWTH_BYTES) faults.push(`the server grew by ${Math.round(grown / 2 ** 20)} MiB`);
  }
  return faults;
}
