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
/** Long prompts a round, one after the other: a percentile of the gaps around a single one is its slowest step. */
const NUM_LONG_PROMPTS = 3;
/** Long enough that every stream outlives the long prompts. */
const STREAM_TOKENS = 1200;
/** Tokens of each stream before it counts, and those from which gaps without a long prompt are taken. */
const SETTLE_TOKENS = 16;
const QUIET_TOKENS = 150;

/** What running streams and a long prompt did to each other, in milliseconds. */
interface StallSample {
  readonly gapP50: number;
  readonly gapP99: number;
  readonly gapMax: number;
  /** Of running streams while nothing else ran: what the machine does to them by itself. */
  readonly quietGapP50: number;
  readonly quietGapP99: number;
  readonly quietGapMax: number;
  readonly promptTokens: number;
  /** To the first token of a long prompt, alone and beside the streams; medians. */
  readonly aloneMs: number;
  readonly besideMs: number;
}

/** Streams run; then long prompts come. How long do they stand still, and what does the prompt lose? */
export async function runStall(args: BenchArguments): Promise<void> {
  const samples = await runRounds(args, FEW_LONG, (server, round) => measureStall(server, 1000 * (round + 2)));
  print(samples);
  if (!args.write) return;
  const settings = { rounds: args.rounds, threads: args.threads, streams: NUM_STREAMS, longPrompts: NUM_LONG_PROMPTS };
  const report = { name: args.resultName, command: args.commandLine, versions: {}, settings, results: samples };
  console.log(`\nwrote ${await writeReport(report)}`);
}

async function measureStall(server: ServerProcess, firstMessage: number): Promise<StallSample> {
  const alone = await askLong(server, firstMessage);
  const streams = startStreams(server, firstMessage + 100);
  const quietFrom = await streams.settled;
  const quietTo = await streams.observed;
  const beside = await askLong(server, firstMessage + 200);
  const windows = beside.map((answer) => ({ from: answer.sentAt, to: firstArrival(answer) }));
  const all = await Promise.all(streams.ends);
  const last = Math.max(...windows.map(({ to }) => to));
  if (all.some(({ endedAt }) => endedAt < last)) {
    throw new Error(
      `${server.name}: a stream ended before the long prompts did: it needs more than ${STREAM_TOKENS} tokens`,
    );
  }
  const gaps = all.flatMap(({ arrivals }) =>
    arrivals.slice(1).map((end, i) => ({ start: arrivals[i] as number, end })),
  );
  const within = (from: number, to: number) =>
    gaps.filter(({ start, end }) => end > from && start < to).map(({ start, end }) => end - start);
  const during = windows.flatMap(({ from, to }) => within(from, to));
  const quiet = within(quietFrom, quietTo);
  return {
    gapP50: quantile(during, 0.5),
    gapP99: quantile(during, 0.99),
    gapMax: Math.max(...during),
    quietGapP50: quantile(quiet, 0.5),
    quietGapP99: quantile(quiet, 0.99),
    quietGapMax: Math.max(...quiet),
    promptTokens: (beside[0] as ChatStream).promptTokens,
    aloneMs: median(alone.map((answer) => firstArrival(answer) - answer.sentAt)),
    besideMs: median(windows.map(({ from, to }) => to - from)),
  };
}

/** Long prompts that nobody has sent before, one after the other. */
async function askLong(server: ServerProcess, firstMessage: number): Promise<ChatStream[]> {
  const answers: ChatStream[] = [];
  for (let i = 0; i < NUM_LONG_PROMPTS; i++) {
    answers.push(await ask(server, distinctMessage(firstMessage + i, LONG_PROMPT_WORDS), 4));
  }
  return answers;
}

/** Starts the streams. The promises hold the times at which each has given a few tokens, and enough to tell what is usual. */
function startStreams(server: ServerProcess, firstMessage: number) {
  const settled = createMark();
  const observed = createMark();
  const ends = Array.from({ length: NUM_STREAMS }, (_, stream) => {
    let numTokens = 0;
    return ask(server, distinctMessage(firstMessage + stream, 24), STREAM_TOKENS, () => {
      numTokens++;
      if (numTokens === SETTLE_TOKENS) settled.pass();
      if (numTokens === SETTLE_TOKENS + QUIET_TOKENS) observed.pass();
    });
  });
  const over = Promise.all(ends).then(() => performance.now());
  return { settled: Promise.race([settled.passed, over]), observed: Promise.race([observed.passed, over]), ends };
}

/** A point that every stream passes; `passed` holds the time at which the last one did. */
function createMark() {
  let numPassed = 0;
  let resolve: (time: number) => void = () => {};
  const passed = new Promise<number>((whenPassed) => {
    resolve = whenPassed;
  });
  const pass = () => {
    if (++numPassed === NUM_STREAMS) resolve(performance.now());
  };
  return { passed, pass };
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
    'without: p50 / p99 / max ms',
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
      [of((each) => each.quietGapP50), of((each) => each.quietGapP99), of((each) => each.quietGapMax)]
        .map((ms) => ms.toFixed(1))
        .join(' / '),
      `${of((each) => each.aloneMs).toFixed(0)} / ${of((each) => each.besideMs).toFixed(0)}`,
      of((each) => each.aloneMs / each.besideMs).toFixed(2),
    ]);
  }
  printTable(rows);
}
