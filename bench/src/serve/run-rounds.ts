import type { BenchArguments } from '../arguments.js';
import { locateModel } from '../peers/locate-model.js';
import { type ServerSize, serverCommands } from './commands.js';
import { type ServerProcess, startServer } from './server-process.js';

/**
 * Starts Kvasir and the peers that were asked for, measures each once a round, in turn, and ends them.
 * @param measure - Gets the round; round -1 warms up and is not kept.
 * @returns Samples by server, in the order of the rounds.
 */
export async function runRounds<Sample>(
  args: BenchArguments,
  size: ServerSize,
  measure: (server: ServerProcess, round: number) => Promise<Sample>,
): Promise<Readonly<Record<string, readonly Sample[]>>> {
  const commands = serverCommands(await locateModel(args.models[0] ?? 'smollm2-135m'), args, size);
  const samples: Record<string, Sample[]> = Object.fromEntries(commands.map(({ name }) => [name, []]));
  const servers: ServerProcess[] = [];
  try {
    for (const command of commands) servers.push(await startServer(command));
    for (let round = -1; round < args.rounds; round++) {
      for (const server of servers) {
        const sample = await measure(server, round);
        if (round >= 0) samples[server.name]?.push(sample);
      }
    }
  } finally {
    await Promise.all(servers.map((server) => server.close()));
  }
  return samples;
}
