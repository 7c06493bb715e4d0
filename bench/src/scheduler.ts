import { fileURLToPath } from 'node:url';
import type { BenchArguments } from './arguments.js';
import { requireEnvironment } from './peers/environment.js';
import { LineWorker } from './peers/line-worker.js';
import { printTable, writeReport } from './report.js';
import { median, pairedRatio, quantile, type Spread, spread } from './statistics.js';

/** One setting of the trace: 256 sequences run, `numChurn` leave and join in every step. */
interface Work {
  readonly numChurn: number;
  readonly numBlocks: number;
}

/** Microseconds of every step of one round. */
interface Times {
  /** Planning and taking in: `schedule` and `commit`. */
  readonly step: readonly number[];
  /** Taking in who joins, where prompts are hashed. */
  readonly admission: readonly number[];
}

interface SchedulerResult {
  readonly engine: string;
  readonly work: Work;
  /** Medians of the rounds. */
  readonly medianMicros: Spread;
  readonly p99Micros: Spread;
  readonly admissionMicros: Spread;
  /** Of medians, round by round. */
  readonly ratioToKvasir: Spread;
}

const WORKS: readonly Work[] = [
  { numChurn: 0, numBlocks: 40_000 },
  { numChurn: 64, numBlocks: 1_300 },
  { numChurn: 64, numBlocks: 40_000 },
  { numChurn: 64, numBlocks: 1_000_000 },
];
/** Steps of a round. 256 sequences of the trace never hold more than 1,280 blocks while 64 leave in every step. */
const NUM_STEPS = { kvasir: 800, vllm: 200 } as const;

/** Cost of a scheduling decision, beside vLLM's own Scheduler and KVCacheManager on the same trace if it is named in `--peers`. */
export async function runScheduler(args: BenchArguments): Promise<void> {
  const script = (path: string) => fileURLToPath(new URL(path, import.meta.url));
  const workers: Record<string, LineWorker> = {
    kvasir: new LineWorker(process.execPath, [script('../../packages/scheduler/bench/step-cost.mjs'), '--worker']),
  };
  if (args.peers.includes('vllm')) {
    const python = requireEnvironment('KVASIR_BENCH_VLLM');
    workers['vllm'] = new LineWorker(python, [script('../src/peers/vllm_scheduler_worker.py')]);
  }
  const versions: Record<string, string> = {};
  try {
    for (const [name, worker] of Object.entries(workers)) {
      versions[name] = (await worker.receive<{ version: string }>()).version;
    }
    const results: SchedulerResult[] = [];
    for (const work of WORKS) results.push(...(await measureWork(workers, work, args.rounds)));
    print(results);
    if (!args.write) return;
    const { commandLine, rounds } = args;
    const settings = { rounds, numSteps: NUM_STEPS };
    console.log(
      `\nwrote ${await writeReport({ name: args.resultName, command: commandLine, versions, settings, results })}`,
    );
  } finally {
    for (const worker of Object.values(workers)) await worker.close();
  }
}

async function measureWork(
  workers: Readonly<Record<string, LineWorker>>,
  work: Work,
  rounds: number,
): Promise<SchedulerResult[]> {
  const times: Record<string, Times[]> = {};
  for (let round = 0; round < rounds; round++) {
    for (const [name, worker] of Object.entries(workers)) {
      const numSteps = name === 'vllm' ? NUM_STEPS.vllm : NUM_STEPS.kvasir;
      const list = times[name] ?? [];
      list.push(
        await worker.ask<Times>({ ...work, numSteps: work.numBlocks < 2_000 && work.numChurn === 0 ? 200 : numSteps }),
      );
      times[name] = list;
    }
  }
  const ours = times['kvasir']!.map(({ step }) => median(step));
  return Object.entries(times).map(([engine, list]) => ({
    engine,
    work,
    medianMicros: spread(list.map(({ step }) => median(step))),
    p99Micros: spread(list.map(({ step }) => quantile(step, 0.99))),
    admissionMicros: spread(list.map(({ admission }) => median(admission))),
    ratioToKvasir: pairedRatio(
      list.map(({ step }) => median(step)),
      ours,
    ),
  }));
}

function print(results: readonly SchedulerResult[]): void {
  const ms = (micros: number) => (micros / 1000).toFixed(3);
  printTable([
    ['256 running', 'blocks', 'engine', 'schedule + commit, ms', 'p99, ms', 'admission a step, ms', 'of kvasir'],
    ...results.map(({ engine, work, medianMicros, p99Micros, admissionMicros, ratioToKvasir }) => [
      work.numChurn === 0 ? 'all decode' : `${work.numChurn} leave and join`,
      String(work.numBlocks),
      engine,
      ms(medianMicros.median),
      ms(p99Micros.median),
      ms(admissionMicros.median),
      `${ratioToKvasir.median.toFixed(1)}x`,
    ]),
  ]);
}
