import { HELP, parseBenchArguments } from './arguments.js';
import { runBlocks } from './blocks.js';
import { runColdStart } from './coldstart.js';
import { runOffline } from './offline/run-offline.js';
import { runPrefix } from './prefix.js';
import { runScheduler } from './scheduler.js';
import { runServe } from './serve.js';
import { runSimulate } from './simulate/run-simulate.js';
import { runSoak } from './soak.js';
import { runStall } from './stall.js';
import { runSteps } from './steps.js';

async function main(): Promise<void> {
  const args = parseBenchArguments(process.argv.slice(2));
  if (args === 'help') console.log(HELP);
  else if (args.name === 'serve') await runServe(args);
  else if (args.name === 'coldstart') await runColdStart(args);
  else if (args.name === 'stall') await runStall(args);
  else if (args.name === 'prefix') await runPrefix(args);
  else if (args.name === 'soak') await runSoak(args);
  else if (args.name === 'simulate') await runSimulate(args);
  else if (args.name === 'steps') await runSteps(args);
  else if (args.name === 'blocks') await runBlocks(args);
  else if (args.name === 'scheduler') await runScheduler(args);
  else await runOffline(args);
}

main().catch((error: unknown) => {
  console.error(`bench: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
});
