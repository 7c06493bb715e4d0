import type { BenchArguments } from './arguments.js';
import { locateModel } from './peers/locate-model.js';
import { printTable, writeReport } from './report.js';
import { judgeSoak } from './soak/judge-soak.js';
import { type SoakReport, soakServer } from './soak/soak-server.js';

/** Random load on a real server for a long time; fails when anything was lost, leaked or grew. */
export async function runSoak(args: BenchArguments): Promise<void> {
  const modelPath = await locateModel(args.models[0] ?? 'smollm2-135m');
  const seed = Math.trunc(Date.now() / 1000);
  const { seconds, threads, serveFlags } = args;
  const report = await soakServer({ modelPath, seconds, threads, serveFlags, seed });
  print(report);
  if (args.write) {
    const { tally, ...rest } = report;
    const results = { ...rest, counts: Object.fromEntries(tally.counts), tokens: tally.tokens, losses: tally.losses };
    const settings = { seconds, threads, seed, serveFlags };
    const file = await writeReport({
      name: args.resultName,
      command: args.commandLine,
      versions: {},
      settings,
      results,
    });
    console.log(`\nwrote ${file}`);
  }
  const faults = judgeSoak(report);
  if (faults.length > 0) throw new Error(`the soak found:\n${faults.join('\n')}`);
}

function print({ tally, preemptions, stateAfter, exitCode, residentBytes }: SoakReport): void {
  printTable([['request: outcome', 'count'], ...[...tally.counts].sort().map(([key, count]) => [key, String(count)])]);
  const mebibytes = (bytes: number | undefined) =>
    bytes === undefined ? 'unknown' : `${Math.round(bytes / 2 ** 20)} MiB`;
  console.log(
    `\n${tally.numRequests} requests, ${tally.tokens} tokens, ${preemptions} preemptions; afterwards ${JSON.stringify(stateAfter)}, exit code ${exitCode}; ` +
      `resident ${mebibytes(residentBytes[0])} at first, ${mebibytes(residentBytes.at(-1))} at last, ${mebibytes(Math.max(...residentBytes))} at most`,
  );
}
