import type { BenchArguments } from './arguments.js';
import { type ChatStream, streamChat } from './http/stream-chat.js';
import { printTable, writeReport } from './report.js';
import { FEW_LONG } from './serve/commands.js';
import { runRounds } from './serve/run-rounds.js';
import type { ServerProcess } from './serve/server-process.js';
import { median, quantile } from './statistics.js';
import { distinctMessage } from './workload.js';

const NUM_STREAMS = 4;
/** About 2,000 tokens of the default model's vocabulary. */
const LONG_PROMPT_WORDS = 1950;
/** Long enough that every stream outlives the long prompt. */
const STREAM_TOKENS = 1200;
const SETTLE_TOKENS = 16;

/** What running streams and a long prompt did to each other, in milliseconds. */
interface StallSample {
  readonly gapP50: number;
  readonly gapP99: number;
  readonly gapMax: number;
  /** Of running streams while nothing else ran. */
  readonly quietGapP50: number;
  readonly promptTokens: number;
  /** To the first token of the long prompt, alone and beside the streams. */
  readonly aloneMs: number;
  readonly besideMs: number;
}

/** Streams run; then a long prompt comes. How long do they stand still, and what does the prompt lose? */
export async function runStall(args: BenchArguments): Promise<void> {
  const samples = await runRounds(args, FEW_LONG, (server, round) => measureStall(server, 1000 * (round + 2)));
  print(samples);
  if (!args.write) return;
  const settings = { rounds: args.rounds, threads: args.threads, streams: NUM_STREAMS, streamTokens: STREAM_TOKENS };
  const report = { name: args.resultName, command: args.commandLine, versions: {}, settings, results: samples };
  console.log(`\nwrote ${await writeReport(report)}`);
}

async function measureStall(server: ServerProcess, firstMessage: number): Promise<StallSample> {
  const askLong = (message: number) => ask(server, distinctMessage(message, LONG_PROMPT_WORDS), 4);
  const alone = await askLong(firstMessage);
  const streams = startStreams(server, firstMessage + 1);
  await streams.settled;
  const beside = await askLong(firstMessage + 100);
  const from = beside.sentAt;
  const to = firstArrival(beside);
  const all = await Promise.all(streams.ends);
  if (all.some(({ endedAt }) => endedAt < to)) {
    throw new Error(
      `${server.name}: a stream ended before the long prompt did: it needs more than ${STREAM_TOKENS} tokens`,
    );
  }
  const gaps = all.flatMap(({ arrivals }) =>
    arrivals.slice(1).map((end, i) => ({ start: arrivals[i] as number, end })),
  );
  const lengths = (some: typeof gaps) => some.map(({ start, end }) => end - start);
  const during = lengths(gaps.filter(({ start, end }) => end > from && start < to));
  return {
    gapP50: quantile(during, 0.5),
    gapP99: quantile(during, 0.99),
    gapMax: Math.max(...during),
    quietGapP50: quantile(lengths(gaps.filter(({ end }) => end < from)), 0.5),
    promptTokens: beside.promptTokens,
    aloneMs: firstArrival(alone) - alone.sentAt,
    besideMs: to - from,
  };
}

/** Starts the streams; `settled` is when each has given a few tokens. */
function startStreams(server: ServerProcess, firstMessage: number) {
  let numSettled = 0;
  let settle = () => {};
  const settled = new Promise<void>((resolve) => {
    settle = resolve;
  });
  const ends = Array.from({ length: NUM_STREAMS }, (_, stream) => {
    let numTokens = 0;
    return ask(server, distinctMessage(firstMessage + stream, 24), STREAM_TOKENS, () => {
      if (++numTokens === SETTLE_TOKENS && ++numSettled === NUM_STREAMS) settle();
    });
  });
  return { settled: Promise.race([settled, Promise.all(ends)]), ends };
}

function ask({ port, model }: ServerProcess, content: string, maxTokens: number, onText: () => void = () => {}) {
  const messages = [{ role: 'user', content }];
  return streamChat({
    port,
    onText,
    body: { model, messages, max_tokens: maxTokens, temperature: 0, ignore_eos: true },
  });
}

function firstArrival({ arrivals }: ChatStream): number {
  const [first] = arrivals;
  if (first === undefined) throw new Error('an answer carried no text');
  return first;
}

function print(samples: Readonly<Record<string, readonly StallSample[]>>): void {
  const head = [
    'server',
    'prompt tokens',
    'gap p50 / p99 / max ms',
    'gap before ms',
    'prompt alone / beside ms',
    'speed kept',
  ];
  const rows = [head];
  for (const [server, all] of Object.entries(samples)) {
    const of = (pick: (sample: StallSample) => number) => median(all.map(pick));
    rows.push([
      server,
      String(of((each) => each.promptTokens)),
      [of((each) => each.gapP50), of((each) => each.gapP99), of((each) => each.gapMax)]
        .map((ms) => ms.toFixed(1))
        .join(' / '),
      of((each) => each.quietGapP50).toFixed(1),
      `${of((each) => each.aloneMs).toFixed(0)} / ${of((each) => each.besideMs).toFixed(0)}`,
      of((each) => each.aloneMs / each.besideMs).toFixed(2),
    ]);
  }
  printTable(rows);
}
