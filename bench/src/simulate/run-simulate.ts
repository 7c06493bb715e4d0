import {
  type Arrivals,
  chatTrace,
  fitStepTime,
  poissonArrivals,
  type ServedRequest,
  type SimulationSummary,
  type StepTime,
  simulate,
  summarize,
  type Trace,
} from '@kvasir/scheduler/simulate';
import type { BenchArguments } from '../arguments.js';
import { locateModel } from '../peers/locate-model.js';
import { printTable, writeReport } from '../report.js';
import { mean, median } from '../statistics.js';
import { createBookkeeping, openRealEngine, type RealEngine } from './real-engine.js';

const LENGTHS = { meanPrompt: 120, sigmaPrompt: 0.9, meanOutput: 60, sigmaOutput: 0.7, least: 4, most: 384 } as const;
const NUM_REQUESTS = 60;
/** Arrivals a second that leave the machine idle now and then. */
const SPARSE_RATE = 8;

/** Figures that a prediction is held against. */
const FIGURES: readonly (readonly [name: string, of: (side: Side) => number])[] = [
  ['output tokens/s', (each) => each.outputTokensPerSecond],
  ['TTFT p50 ms', (each) => each.ttft.p50],
  ['TTFT p90 ms', (each) => each.ttft.p90],
  ['ITL p50 ms', (each) => each.itl.p50],
  ['end to end p50 ms', (each) => each.e2e.p50],
  // Of the very steps that ran: what the fit and the machine differ by, without what the simulator makes of it.
  ['mean step ms', (each) => each.stepMs],
];

/** A real run, or its prediction. */
type Side = SimulationSummary & { readonly stepMs: number };

interface Round {
  readonly load: string;
  readonly real: Side;
  readonly predicted: Side;
}

interface Comparison {
  readonly load: string;
  readonly figure: string;
  readonly real: readonly number[];
  readonly predicted: readonly number[];
  /** Prediction over reality, minus one; the median of the rounds. */
  readonly error: number;
}

/**
 * How well the simulator predicts this machine: each round fits step times to two loads and predicts another, which was not part
 * of the fit and runs for real between the two, so that a machine that slows down meanwhile is met half way.
 */
export async function runSimulate(args: BenchArguments): Promise<void> {
  const engine = await openRealEngine(await locateModel(args.models[0] ?? 'smollm2-135m'), args.threads);
  const loads: readonly (readonly [string, Arrivals])[] = [
    ['all at once', () => 0],
    [`poisson ${SPARSE_RATE}/s`, poissonArrivals(SPARSE_RATE)],
  ];
  const rounds: Round[] = [];
  let prices: Readonly<Record<string, number>> = {};
  try {
    for (let round = -1; round < args.rounds; round++) {
      for (const [index, [load, arrivals]] of loads.entries()) {
        // Full and nearly empty steps both, so that no shape of the load is foreign to the fit.
        const full = await engine.run(traceOf(engine, () => 0, 1000 + 10 * round + index));
        const trace = traceOf(engine, arrivals, 2000 + 10 * round + index);
        const { requests, steps } = await engine.run(trace);
        const sparse = await engine.run(traceOf(engine, poissonArrivals(SPARSE_RATE), 3000 + 10 * round + index));
        if (round < 0) continue;
        const fit = fitStepTime([...full.steps, ...sparse.steps]);
        prices = fit.coefficients;
        rounds.push({
          load,
          real: { ...summarizeReal(requests), stepMs: mean(steps.map(({ ms }) => ms)) },
          predicted: {
            ...predict(engine, trace, fit.stepTime),
            stepMs: mean(steps.map(({ shape }) => fit.stepTime(shape))),
          },
        });
      }
    }
  } finally {
    await engine.close();
  }
  const results = loads.flatMap(([load]) =>
    compare(
      load,
      rounds.filter((each) => each.load === load),
    ),
  );
  print(results);
  if (!args.write) return;
  const settings = { rounds: args.rounds, threads: args.threads, requests: NUM_REQUESTS, lengths: LENGTHS, prices };
  const report = { name: args.resultName, command: args.commandLine, versions: {}, settings, results };
  console.log(`\nwrote ${await writeReport(report)}`);
}

function traceOf({ vocabSize }: RealEngine, arrivals: Arrivals, seed: number): Trace {
  return chatTrace({ numRequests: NUM_REQUESTS, arrivals, lengths: LENGTHS, seed, vocabSize });
}

function predict({ groups }: RealEngine, trace: Trace, stepTime: StepTime): SimulationSummary {
  return summarize(simulate({ trace, ...createBookkeeping(groups), stepTime }));
}

/** A real run has no steps to average over: figures of memory and concurrency are not compared. */
function summarizeReal(requests: readonly ServedRequest[]): SimulationSummary {
  const point = { atMs: 0, numRunning: 0, numWaiting: 0, storedTokens: 0, heldTokens: 1 };
  return summarize({ requests, steps: [point], numPreemptions: 0, computedTokens: 0 });
}

function compare(load: string, rounds: readonly Round[]): Comparison[] {
  return FIGURES.map(([figure, of]) => {
    const real = rounds.map((each) => of(each.real));
    const predicted = rounds.map((each) => of(each.predicted));
    const error = median(predicted.map((value, i) => value / (real[i] as number) - 1));
    return { load, figure, real, predicted, error };
  });
}

function print(results: readonly Comparison[]): void {
  printTable([
    ['load', 'figure', 'real', 'predicted', 'error'],
    ...results.map(({ load, figure, real, predicted, error }) => [
      load,
      figure,
      median(real).toFixed(1),
      median(predicted).toFixed(1),
      `${(100 * error).toFixed(1)} %`,
    ]),
  ]);
}
