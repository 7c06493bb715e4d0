import { basename } from 'node:path';
import { barChart } from '@kvasir/charts';
import type { BenchArguments } from './arguments.js';
import { KvasirEngine } from './peers/kvasir.js';
import { locateModel } from './peers/locate-model.js';
import { printTable, writeDrawing, writeReport } from './report.js';
import { median } from './statistics.js';
import type { StepTimes } from './workers/step-times.js';
import type { OfflineWork } from './workload.js';

type DecodeWork = Extract<OfflineWork, { kind: 'decode' }>;

/** Decode steps of one model and batch size: medians over the rounds. */
interface StepResult {
  readonly model: string;
  readonly work: DecodeWork;
  readonly steps: StepTimes;
  /** Share of the wall time in which no step ran. */
  readonly betweenShare: number;
}

const DECODE_TOKENS = 128;

/** Where the time of a decode step goes: by kind of op in the backend, and between steps in JavaScript. */
export async function runSteps(args: BenchArguments): Promise<void> {
  const results: StepResult[] = [];
  for (const model of args.models) results.push(...(await measureModel(args, model)));
  print(results);
  if (!args.write) return;
  const { commandLine, rounds, threads } = args;
  const settings = { rounds, threads };
  const file = await writeReport({ name: args.resultName, command: commandLine, versions: {}, settings, results });
  console.log(`\nwrote ${file}`);
  for (const model of new Set(results.map((result) => result.model))) {
    const svg = draw(
      model,
      results.filter((result) => result.model === model),
    );
    console.log(`wrote ${writeDrawing(`${args.resultName}-${model}`, svg)}`);
  }
}

async function measureModel(args: BenchArguments, model: string): Promise<StepResult[]> {
  const batches = args.batches ?? [1, 2, 4, 8, 16, 32];
  const works = args.contexts.flatMap((promptTokens) =>
    batches.map((batch): DecodeWork => ({ kind: 'decode', batch, tokens: DECODE_TOKENS, promptTokens })),
  );
  const settings = { threads: args.threads, maxContext: args.maxContext, maxBatch: Math.max(...batches) };
  const kvCacheDtype = args.kvCacheDtypes[0] ?? 'auto';
  const maxInFlight = args.maxInFlight[0] ?? 1;
  const engine = await KvasirEngine.open(await locateModel(model), {
    ...settings,
    maxInFlight,
    kvCacheDtype,
    traceOps: maxInFlight === 1,
  });
  try {
    const results: StepResult[] = [];
    for (const work of works) {
      const rounds: StepTimes[] = [];
      for (let round = -1; round < args.rounds; round++) {
        const steps = await engine.trace(work, round);
        if (round >= 0) rounds.push(steps);
      }
      results.push(summarize(basename(model), work, rounds));
    }
    return results;
  } finally {
    await engine.close();
  }
}

function summarize(model: string, work: DecodeWork, rounds: readonly StepTimes[]): StepResult {
  const of = (pick: (steps: StepTimes) => number) => median(rounds.map(pick));
  const labels = [...new Set(rounds.flatMap(({ ops }) => Object.keys(ops)))];
  const steps: StepTimes = {
    numSteps: of((each) => each.numSteps),
    wallMs: of((each) => each.wallMs),
    computeMs: of((each) => each.computeMs),
    betweenMs: of((each) => each.betweenMs),
    ops: sumByKind(labels.map((label) => [label, of(({ ops }) => ops[label] ?? 0)])),
  };
  return { model, work, steps, betweenShare: of((each) => each.betweenMs / each.wallMs) };
}

const KINDS: readonly (readonly [name: string, pattern: RegExp])[] = [
  ['attention', /^attention/],
  ['qkv', /^linear .*attn_q/],
  ['attention output', /^linear .*attn_output/],
  ['gate and up', /^linear .*ffn_gate/],
  ['down', /^linear .*ffn_down/],
  ['head', /^linear (token_embd|output)/],
  ['sample', /^sample/],
  ['wake', /^wake/],
  ['norms, rope, quantize', /./],
];

/** The backend labels phases by the tensors they read; a chart has room for kinds. Nothing where no ops were traced. */
function sumByKind(entries: readonly (readonly [label: string, ms: number])[]): Record<string, number> {
  if (entries.length === 0) return {};
  const sums = new Map(KINDS.map(([name]) => [name, 0]));
  for (const [label, ms] of entries) {
    const kind = KINDS.find(([, pattern]) => pattern.test(label))?.[0] as string;
    sums.set(kind, (sums.get(kind) as number) + ms);
  }
  return Object.fromEntries(sums);
}

/** Whether ops were traced, which takes one step in flight. */
const hasOps = ({ ops }: StepTimes) => Object.keys(ops).length > 0;

/** A table for each model: a column a batch, a row a kind of op. */
function print(results: readonly StepResult[]): void {
  for (const model of new Set(results.map((result) => result.model))) {
    const own = results.filter((result) => result.model === model);
    const kinds = [...new Set(own.flatMap(({ steps }) => Object.keys(steps.ops)))];
    const row = (name: string, cell: (result: StepResult) => string) => [name, ...own.map(cell)];
    printTable([
      row(`${model}, ms a step`, ({ work }) => `${work.batch} after ${work.promptTokens}`),
      ...kinds.map((kind) => row(kind, ({ steps }) => (steps.ops[kind] ?? 0).toFixed(3))),
      row('compute', ({ steps }) => steps.computeMs.toFixed(3)),
      row('between steps', ({ steps }) => steps.betweenMs.toFixed(3)),
      row('share between steps', ({ betweenShare }) => `${(100 * betweenShare).toFixed(1)} %`),
    ]);
  }
}

function draw(model: string, results: readonly StepResult[]): string {
  const hasContexts = new Set(results.map(({ work }) => work.promptTokens)).size > 1;
  return barChart({
    title: `A decode step of ${model} by kind of op`,
    xLabel: hasContexts ? 'sequences @ context' : 'sequences',
    yLabel: 'ms a step',
    bars: results.map(({ work, steps }) => ({
      name: hasContexts ? `${work.batch} @ ${work.promptTokens}` : String(work.batch),
      segments: [
        ...Object.entries(hasOps(steps) ? steps.ops : { compute: steps.computeMs }).map(([name, value]) => ({
          name,
          value,
        })),
        { name: 'between steps', value: Math.max(0, steps.betweenMs) },
      ],
    })),
  });
}
