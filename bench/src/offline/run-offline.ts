import { basename } from 'node:path';
import { openModel } from '@kvasir/model';
import type { BenchArguments } from '../arguments.js';
import type { OfflineEngine } from '../peers/engine.js';
import { requireEnvironment } from '../peers/environment.js';
import { KvasirEngine } from '../peers/kvasir.js';
import { LlamaCppEngine } from '../peers/llama-cpp.js';
import { locateModel } from '../peers/locate-model.js';
import { VllmEngine } from '../peers/vllm.js';
import { writeDrawing, writeReport } from '../report.js';
import { median, pairedRatio, spread } from '../statistics.js';
import type { OfflineWork } from '../workload.js';
import { Ceilings } from './ceilings.js';
import { drawBatch } from './draw-batch.js';
import { type ModelCost, modelCost, tokenCost } from './model-cost.js';
import { printResults } from './print-results.js';
import type { OfflineResult, Shares } from './result.js';

const DECODE_TOKENS = 128;
const PREFILL_TOKENS = 512;
/** Bytes of a cached element by type; `int8` has a float scale for each head of each token besides. */
const KV_BYTES = { auto: 2, float32: 4, float16: 2, bfloat16: 2, int8: 1 } as const;

function workOf(args: BenchArguments): OfflineWork[] {
  if (args.name === 'prefill') return [{ kind: 'prefill', tokens: PREFILL_TOKENS }];
  const batches = args.batches ?? (args.name === 'decode' ? [1] : [1, 2, 4, 8, 16, 32]);
  return args.contexts.flatMap((promptTokens) =>
    batches.map((batch) => ({ kind: 'decode' as const, batch, tokens: DECODE_TOKENS, promptTokens })),
  );
}

/** Runs `decode`, `prefill` or `batch`: every engine on the same weights, interleaved round by round. */
export async function runOffline(args: BenchArguments): Promise<void> {
  const results: OfflineResult[] = [];
  const versions: Record<string, string> = {};
  for (const model of args.models) {
    const path = await locateModel(model);
    const cost = modelCost(await openModel(path), KV_BYTES[args.kvCacheDtypes[0] ?? 'auto']);
    const engines = await openEngines(args, model, path);
    for (const engine of engines) versions[engine.name] = engine.version;
    try {
      for (const work of workOf(args)) results.push(await measure(engines, work, basename(model), cost, args));
    } finally {
      await Promise.all(engines.map((engine) => engine.close()));
    }
  }
  printResults(results);
  if (args.write) await write(args, versions, results);
}

async function write(
  args: BenchArguments,
  versions: Readonly<Record<string, string>>,
  results: readonly OfflineResult[],
): Promise<void> {
  const { name, commandLine, rounds, threads } = args;
  const file = await writeReport({
    name: args.resultName,
    command: commandLine,
    versions,
    settings: { rounds, threads },
    results,
  });
  console.log(`\nwrote ${file}`);
  if (name !== 'batch') return;
  for (const model of new Set(results.map((result) => result.model))) {
    const svg = drawBatch(model, results, threads);
    if (svg !== undefined) console.log(`wrote ${writeDrawing(`${args.resultName}-${model}`, svg)}`);
  }
}

async function openEngines(args: BenchArguments, model: string, path: string): Promise<OfflineEngine[]> {
  const { threads } = args;
  const engines: OfflineEngine[] = [];
  const maxBatch = Math.max(1, ...workOf(args).map((work) => (work.kind === 'decode' ? work.batch : 1)));
  for (const maxInFlight of args.maxInFlight) {
    for (const kvCacheDtype of args.kvCacheDtypes) {
      engines.push(
        await KvasirEngine.open(path, { threads, maxInFlight, kvCacheDtype, maxContext: args.maxContext, maxBatch }),
      );
    }
  }
  for (const peer of args.peers) {
    if (peer === 'llama.cpp') {
      engines.push(await LlamaCppEngine.open(requireEnvironment('KVASIR_BENCH_LLAMA_CPP'), path, threads));
      // The bfloat16 copy exists for the default model only.
    } else if (model === 'smollm2-135m') {
      const python = requireEnvironment('KVASIR_BENCH_VLLM');
      engines.push(await VllmEngine.open(python, requireEnvironment('KVASIR_BENCH_VLLM_MODEL'), threads));
    }
  }
  return engines;
}

async function measure(
  engines: readonly OfflineEngine[],
  work: OfflineWork,
  model: string,
  cost: ModelCost,
  { rounds, threads }: BenchArguments,
): Promise<OfflineResult> {
  const samples: Record<string, number[]> = Object.fromEntries(engines.map((engine) => [engine.name, []]));
  const ceilings = new Ceilings(threads);
  for (let round = -1; round < rounds; round++) {
    // The order turns every round; round -1 warms up and is not counted.
    const order = round % 2 === 0 ? engines : [...engines].reverse();
    for (const engine of order) {
      const rate = await engine.run(work, round);
      if (round >= 0) samples[engine.name]?.push(rate);
    }
    if (round >= 0) await ceilings.sample();
  }
  const [ours, ...others] = engines as [OfflineEngine, ...OfflineEngine[]];
  const own = samples[ours.name] as number[];
  return {
    model,
    work,
    tokensPerSecond: Object.fromEntries(Object.entries(samples).map(([name, values]) => [name, spread(values)])),
    ratio: Object.fromEntries(others.map(({ name }) => [name, pairedRatio(own, samples[name] as number[])])),
    shares: sharesOf(median(own), work, cost, ceilings),
    samples,
  };
}

function sharesOf(tokensPerSecond: number, work: OfflineWork, cost: ModelCost, ceilings: Ceilings): Shares {
  const { readBytes, int8Ops } = tokenCost(cost, work);
  const { readBytesPerSecond, int8OpsPerSecond } = ceilings;
  return {
    readBandwidthGBs: readBytesPerSecond / 1e9,
    ofReadBandwidth: (readBytes * tokensPerSecond) / readBytesPerSecond,
    ...(int8OpsPerSecond === undefined
      ? {}
      : { int8TeraOps: int8OpsPerSecond / 1e12, ofInt8Peak: (int8Ops * tokensPerSecond) / int8OpsPerSecond }),
  };
}
