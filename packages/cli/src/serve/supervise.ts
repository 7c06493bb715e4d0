import type { CommandContext } from '../command.js';
import type { ParsedFlags } from '../flags/parse-flags.js';
import { createServeReporter, type LogFormat } from './serve-reporter.js';
import { spawnServer } from './supervised.js';
import { Supervisor } from './supervisor.js';

/** Signals that a server may want. */
const PASSED_ON: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGWINCH'];

/** Runs `kvasir serve` with the same arguments in a child process, and starts it again when it crashes. */
export async function supervise(flags: ParsedFlags, context: CommandContext): Promise<number> {
  const reporter = createServeReporter(flags.values.get('log-format') as LogFormat, context);
  let port = 0;
  const supervisor = new Supervisor({
    maxRestarts: flags.values.get('max-restarts') as number,
    start: () =>
      spawnServer(flags.argv, port, (found) => {
        port = found;
      }),
    onCrash: (crash) => reporter.crashed(crash),
    onGivenUp: (end) => reporter.givenUp(end),
  });
  const passOn = (signal: NodeJS.Signals) => supervisor.signal(signal);
  for (const signal of PASSED_ON) process.on(signal, passOn);
  try {
    return await supervisor.run();
  } finally {
    for (const signal of PASSED_ON) process.off(signal, passOn);
  }
}
