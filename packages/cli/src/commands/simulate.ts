import { writeFile } from 'node:fs/promises';
import { lineChart } from '@kvasir/charts';
import { H100_MODELS, summarize } from '@kvasir/scheduler/simulate';
import type { Command } from '../command.js';
import type { Flag } from '../flags/flag.js';
import type { ParsedFlags } from '../flags/parse-flags.js';
import { runScenarios, type Scenario, type ScenarioResult } from '../simulate/scenarios.js';
import { readStepTime } from '../simulate/step-time-flag.js';
import { readTrace } from '../simulate/trace-flags.js';

const simulateFlags: readonly Flag[] = [
  {
    kind: 'string',
    name: 'trace',
    placeholder: 'chat|agents|FILE',
    default: 'chat',
    description:
      'Chats of ShareGPT-like lengths, agent sessions that share system prompts, or a .jsonl file in the format of the Mooncake traces.',
  },
  {
    kind: 'integer',
    name: 'requests',
    minimum: 1,
    default: 500,
    description: 'Requests (sessions of agents) of the trace.',
  },
  {
    kind: 'choice',
    name: 'arrivals',
    choices: ['poisson', 'bursty', 'at-once'],
    default: 'poisson',
    description: 'How they arrive; a file has times of its own.',
  },
  {
    kind: 'number',
    name: 'rate',
    minimum: 0,
    maximum: 1e6,
    isMinimumExcluded: true,
    default: 10,
    description: 'Arrivals a second.',
  },
  {
    kind: 'integer',
    name: 'seed',
    minimum: 0,
    default: 0,
    description: 'Another one gives another trace of the same kind.',
  },
  {
    kind: 'number',
    name: 'length-divisor',
    minimum: 0,
    maximum: 1e6,
    isMinimumExcluded: true,
    default: 1,
    description: 'Divides the lengths of a file, for a smaller model.',
  },
  {
    kind: 'number',
    name: 'time-factor',
    minimum: 0,
    maximum: 1e6,
    isMinimumExcluded: true,
    default: 1,
    description: 'Multiplies the arrival times of a file.',
  },
  {
    kind: 'string',
    name: 'step-time',
    placeholder: 'NAME|FILE',
    default: 'h100-8b-bf16',
    description: `What a step costs: ${Object.keys(H100_MODELS).join(', ')}, or a .json file of prices as the simulate benchmark writes it.`,
  },
  {
    kind: 'size',
    name: 'kv-tokens',
    minimum: 16,
    default: 131_072,
    description: 'Tokens that the KV cache has room for.',
  },
  { kind: 'integer', name: 'block-size', minimum: 1, maximum: 4096, default: 16, description: 'Tokens of a KV block.' },
  {
    kind: 'integer',
    name: 'max-model-len',
    minimum: 2,
    default: 2048,
    description: 'Longest prompt plus output; longer requests are left out.',
  },
  {
    kind: 'integer',
    name: 'max-num-seqs',
    minimum: 1,
    maximum: 65_536,
    default: 256,
    description: 'Sequences that run at the same time.',
  },
  { kind: 'integer', name: 'max-num-batched-tokens', minimum: 1, default: 2048, description: 'Tokens of one step.' },
  {
    kind: 'choice',
    name: 'policy',
    choices: ['fcfs', 'priority', 'fair', 'shortest-prefix-first'],
    default: 'fcfs',
    description: 'Who goes first.',
  },
  {
    kind: 'number',
    name: 'target-itl-ms',
    minimum: 0,
    maximum: 60_000,
    isMinimumExcluded: true,
    defaultText: 'none',
    description: 'Time between two tokens of a stream that prompts leave room for.',
  },
  {
    kind: 'string',
    name: 'svg',
    placeholder: 'FILE',
    description: 'Write a chart of the sequences side by side over time.',
  },
  { kind: 'boolean', name: 'json', default: false, description: 'Print JSON.' },
];

/** `kvasir simulate`: a trace through the real scheduler and block manager, and what it would be without them. */
export const simulateCommand: Command = {
  help: {
    usage: 'kvasir simulate [options]',
    summary: 'Predicts throughput and latency of a load with the real scheduler and block manager; no model is loaded.',
    flags: simulateFlags,
    notes: ['Beside Kvasir it shows the same load without prefix caching, without paging, and with static batching.'],
  },
  maxPositionals: 0,
  async run(flags, context) {
    const { trace, numRefused } = await readTrace(flags);
    const stepTime = await readStepTime(String(flags.values.get('step-time')));
    const results = runScenarios(trace, stepTime, {
      kvTokens: flags.values.get('kv-tokens') as number,
      blockSize: flags.values.get('block-size') as number,
      maxModelLen: flags.values.get('max-model-len') as number,
      maxNumSeqs: flags.values.get('max-num-seqs') as number,
      maxNumBatchedTokens: flags.values.get('max-num-batched-tokens') as number,
      policy: flags.values.get('policy') as Scenario['policy'],
      targetItlMs: flags.values.get('target-itl-ms') as number | undefined,
    });
    const text = flags.values.get('json') === true ? toJson(results, numRefused) : render(results, numRefused);
    context.stdout.write(`${text}\n`);
    await writeSvg(flags, results);
    return 0;
  },
};

function toJson(results: readonly ScenarioResult[], numRefused: number): string {
  const summaries = results.map(({ name, simulation }) => [name, summarize(simulation)]);
  return JSON.stringify({ numRefused, results: Object.fromEntries(summaries) }, null, 2);
}

function render(results: readonly ScenarioResult[], numRefused: number): string {
  const percentiles = ({ p50, p90, p99 }: { p50: number; p90: number; p99: number }) =>
    [p50, p90, p99].map((ms) => ms.toFixed(ms < 100 ? 1 : 0)).join(' / ');
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
  const summaries = results.map(({ simulation }) => summarize(simulation));
  const [first] = summaries;
  const row = (name: string, cell: (summary: (typeof summaries)[number]) => string) => [name, ...summaries.map(cell)];
  const rows = [
    ['', ...results.map(({ name }) => name)],
    row('output tokens/s', (each) => each.outputTokensPerSecond.toFixed(1)),
    row('requests/s', (each) => each.requestsPerSecond.toFixed(2)),
    row('TTFT ms p50/p90/p99', (each) => percentiles(each.ttft)),
    row('ITL ms p50/p90/p99', (each) => percentiles(each.itl)),
    row('end to end ms p50/p90/p99', (each) => percentiles(each.e2e)),
    row('sequences, mean', (each) => each.meanRunning.toFixed(1)),
    row('sequences, most', (each) => String(each.mostRunning)),
    row('prompt tokens cached', (each) => percent(each.hitRate)),
    row('preemptions', (each) => String(each.numPreemptions)),
    row('memory held and empty', (each) => percent(each.waste)),
    row('tokens computed / needed', (each) => each.computedShare.toFixed(2)),
  ];
  const widths = results.map((_, column) => Math.max(...rows.map((cells) => (cells[column + 1] as string).length)));
  const lines = rows.map(
    ([name, ...cells]) =>
      (name as string).padEnd(28) + cells.map((cell, i) => cell.padStart((widths[i] as number) + 2)).join(''),
  );
  const refused = numRefused === 0 ? '' : `, ${numRefused} longer than --max-model-len left out`;
  return [`${first?.numRequests} requests, ${first?.outputTokens} output tokens${refused}`, '', ...lines].join('\n');
}

const CHART_POINTS = 240;

async function writeSvg(flags: ParsedFlags, results: readonly ScenarioResult[]): Promise<void> {
  const path = flags.values.get('svg') as string | undefined;
  if (path === undefined) return;
  const series = results.map(({ name, simulation: { steps } }) => {
    const every = Math.max(1, Math.floor(steps.length / CHART_POINTS));
    const points = steps
      .filter((_, i) => i % every === 0)
      .map(({ atMs, numRunning }) => ({ x: atMs / 1000, y: numRunning }));
    return { name, points, marks: false };
  });
  const svg = lineChart({ title: 'Sequences side by side', xLabel: 'seconds', yLabel: 'running sequences', series });
  await writeFile(path, svg);
}
