import type { BenchArguments } from './arguments.js';
import { streamChat } from './http/stream-chat.js';
import { printTable, writeReport } from './report.js';
import { FEW_LONG } from './serve/commands.js';
import { runRounds } from './serve/run-rounds.js';
import type { ServerProcess } from './serve/server-process.js';
import { median } from './statistics.js';
import { distinctMessage } from './workload.js';

/** About 1,000 tokens of the default model's vocabulary. */
const PREFIX_WORDS = 960;

/** Two requests that share a long system prompt. Times to the first token in milliseconds. */
interface PrefixSample {
  readonly firstMs: number;
  readonly secondMs: number;
  readonly promptTokens: number;
  readonly cachedTokens: number;
}

/** What a shared prefix saves: time to first token of a second request over that of the first, each pair with a new prefix. */
export async function runPrefix(args: BenchArguments): Promise<void> {
  const samples = await runRounds(args, FEW_LONG, (server, round) => measurePair(server, 50_000 + round));
  print(samples);
  if (!args.write) return;
  const settings = { rounds: args.rounds, threads: args.threads, prefixWords: PREFIX_WORDS };
  const report = { name: args.resultName, command: args.commandLine, versions: {}, settings, results: samples };
  console.log(`\nwrote ${await writeReport(report)}`);
}

async function measurePair({ port, model }: ServerProcess, index: number): Promise<PrefixSample> {
  const system = distinctMessage(index, PREFIX_WORDS);
  const ask = async (content: string) => {
    const messages = [
      { role: 'system', content: system },
      { role: 'user', content },
    ];
    const answer = await streamChat({
      port,
      body: { model, messages, max_tokens: 4, temperature: 0, ignore_eos: true },
    });
    return { ...answer, ttft: (answer.arrivals[0] as number) - answer.sentAt };
  };
  const first = await ask('Say one thing about it.');
  const second = await ask('And now another.');
  const { promptTokens, cachedTokens } = second;
  return { firstMs: first.ttft, secondMs: second.ttft, promptTokens, cachedTokens };
}

function print(samples: Readonly<Record<string, readonly PrefixSample[]>>): void {
  const rows = [['server', 'prompt tokens', 'cached', 'TTFT first / second ms', 'second / first']];
  for (const [server, all] of Object.entries(samples)) {
    const of = (pick: (sample: PrefixSample) => number) => median(all.map(pick));
    rows.push([
      server,
      String(of((each) => each.promptTokens)),
      String(of((each) => each.cachedTokens)),
      `${of((each) => each.firstMs).toFixed(1)} / ${of((each) => each.secondMs).toFixed(1)}`,
      of((each) => each.secondMs / each.firstMs).toFixed(3),
    ]);
  }
  printTable(rows);
}
