import type { BenchArguments } from './arguments.js';
import { locateModel } from './peers/locate-model.js';
import { printTable, writeReport } from './report.js';
import { type LoadResult, runClosedLoop } from './serve/closed-loop.js';
import { MANY_SHORT, serverCommands } from './serve/commands.js';
import { type ServerProcess, startServer } from './serve/server-process.js';
import { median, pairedRatio, type Spread } from './statistics.js';

const PROMPT_WORDS = 24;
const MAX_TOKENS = 64;

interface ServeResult {
  readonly clients: number;
  readonly servers: Readonly<Record<string, readonly LoadResult[]>>;
  readonly ratioToPeer: Readonly<Record<string, Spread>>;
}

/** Closed-loop HTTP load at several client counts; the servers stay up, and one at a time is loaded, in turn. */
export async function runServe(args: BenchArguments): Promise<void> {
  const path = await locateModel(args.models[0] ?? 'smollm2-135m');
  const commands = serverCommands(path, args, MANY_SHORT);
  const servers: ServerProcess[] = [];
  const results: ServeResult[] = [];
  try {
    for (const command of commands) servers.push(await startServer(command));
    for (const clients of args.clients) results.push(await measure(servers, clients, args));
  } finally {
    await Promise.all(servers.map((server) => server.close()));
  }
  print(results);
  if (args.write) {
    const settings = {
      rounds: args.rounds,
      threads: args.threads,
      promptWords: PROMPT_WORDS,
      maxTokens: MAX_TOKENS,
      requests: args.requests,
    };
    const ready = Object.fromEntries(
      servers.map((server) => [server.name, `ready after ${Math.round(server.readyMs)} ms`]),
    );
    console.log(
      `\nwrote ${await writeReport({ name: 'serve', command: args.commandLine, versions: ready, settings, results })}`,
    );
  }
}

async function measure(servers: readonly ServerProcess[], clients: number, args: BenchArguments): Promise<ServeResult> {
  const loads: Record<string, LoadResult[]> = Object.fromEntries(servers.map((server) => [server.name, []]));
  for (let round = -1; round < args.rounds; round++) {
    const order = round % 2 === 0 ? servers : [...servers].reverse();
    for (const server of order) {
      const result = await runClosedLoop({
        port: server.port,
        model: server.model,
        clients,
        requestsPerClient: round < 0 ? 1 : args.requests,
        promptWords: PROMPT_WORDS,
        maxTokens: MAX_TOKENS,
        firstIndex: ((round + 1) * 1000 + clients) * 100,
      });
      if (round >= 0) loads[server.name]?.push(result);
    }
  }
  const rates = (name: string) => (loads[name] ?? []).map((load) => load.tokensPerSecond);
  const [ours, ...peers] = servers;
  const ratioToPeer = Object.fromEntries(
    peers.map((peer) => [peer.name, pairedRatio(rates(ours?.name as string), rates(peer.name))]),
  );
  return { clients, servers: loads, ratioToPeer };
}

function print(results: readonly ServeResult[]): void {
  const rows = [['clients', 'server', 'tok/s', 'TTFT p50/p95 ms', 'gap p50/p99 ms', 'failed', 'Kvasir / server']];
  for (const result of results) {
    for (const [server, loads] of Object.entries(result.servers)) {
      const of = (pick: (load: LoadResult) => number) => median(loads.map(pick));
      const ratio = result.ratioToPeer[server];
      rows.push([
        String(result.clients),
        server,
        of((load) => load.tokensPerSecond).toFixed(1),
        `${of((load) => load.ttftP50).toFixed(0)} / ${of((load) => load.ttftP95).toFixed(0)}`,
        `${of((load) => load.gapP50).toFixed(1)} / ${of((load) => load.gapP99).toFixed(1)}`,
        String(loads.reduce((sum, load) => sum + load.failed, 0)),
        ratio === undefined ? '' : `${ratio.median.toFixed(2)}x (${ratio.min.toFixed(2)}..${ratio.max.toFixed(2)})`,
      ]);
    }
  }
  printTable(rows);
}
