import { basename } from 'node:path';
import type { BenchArguments } from './arguments.js';
import type { OfflineEngine } from './peers/engine.js';
import { requireEnvironment } from './peers/environment.js';
import { KvasirEngine } from './peers/kvasir.js';
import { LlamaCppEngine } from './peers/llama-cpp.js';
import { locateModel } from './peers/locate-model.js';
import { VllmEngine } from './peers/vllm.js';
import { printTable, writeReport } from './report.js';
import { pairedRatio, type Spread, spread } from './statistics.js';
import { type OfflineWork, workName } from './workload.js';

const DECODE_TOKENS = 128;
const PROMPT_TOKENS = 16;

function workOf(args: BenchArguments): OfflineWork[] {
  if (args.name === 'prefill') return [{ kind: 'prefill', tokens: 512 }];
  const batches = args.name === 'decode' ? [1] : [1, 2, 4, 8, 16, 32];
  return batches.map((batch) => ({ kind: 'decode', batch, tokens: DECODE_TOKENS, promptTokens: PROMPT_TOKENS }));
}

interface OfflineResult {
  readonly model: string;
  readonly work: string;
  readonly tokensPerSecond: Readonly<Record<string, Spread>>;
  readonly ratioToPeer: Readonly<Record<string, Spread>>;
  readonly samples: Readonly<Record<string, readonly number[]>>;
}

/** Runs `decode`, `prefill` or `batch`: every engine on the same weights, interleaved round by round. */
export async function runOffline(args: BenchArguments): Promise<void> {
  const results: OfflineResult[] = [];
  const versions: Record<string, string> = {};
  for (const model of args.models) {
    const engines = await openEngines(args, model);
    for (const engine of engines) versions[engine.name] = engine.version;
    try {
      for (const work of workOf(args)) results.push(await measure(engines, work, basename(model), args.rounds));
    } finally {
      await Promise.all(engines.map((engine) => engine.close()));
    }
  }
  print(results);
  if (args.write) {
    const settings = {
      rounds: args.rounds,
      threads: args.threads,
      promptTokens: PROMPT_TOKENS,
      decodeTokens: DECODE_TOKENS,
    };
    console.log(
      `\nwrote ${await writeReport({ name: args.name, command: args.commandLine, versions, settings, results })}`,
    );
  }
}

async function openEngines(args: BenchArguments, model: string): Promise<OfflineEngine[]> {
  const path = await locateModel(model);
  const engines: OfflineEngine[] = [await KvasirEngine.open(path, args.threads)];
  for (const peer of args.peers) {
    if (peer === 'llama.cpp')
      engines.push(await LlamaCppEngine.open(requireEnvironment('KVASIR_BENCH_LLAMA_CPP'), path, args.threads));
    // The bfloat16 copy exists for the default model only.
    else if (model === 'smollm2-135m') {
      engines.push(
        await VllmEngine.open(
          requireEnvironment('KVASIR_BENCH_VLLM'),
          requireEnvironment('KVASIR_BENCH_VLLM_MODEL'),
          args.threads,
        ),
      );
    }
  }
  return engines;
}

async function measure(
  engines: readonly OfflineEngine[],
  work: OfflineWork,
  model: string,
  rounds: number,
): Promise<OfflineResult> {
  const samples: Record<string, number[]> = Object.fromEntries(engines.map((engine) => [engine.name, []]));
  for (let round = -1; round < rounds; round++) {
    // The order turns every round; round -1 warms up and is not counted.
    const order = round % 2 === 0 ? engines : [...engines].reverse();
    for (const engine of order) {
      const rate = await engine.run(work, round);
      if (round >= 0) samples[engine.name]?.push(rate);
    }
  }
  const [ours, ...peers] = engines;
  const own = samples[ours?.name as string] as number[];
  return {
    model,
    work: workName(work),
    tokensPerSecond: Object.fromEntries(Object.entries(samples).map(([name, values]) => [name, spread(values)])),
    ratioToPeer: Object.fromEntries(peers.map((peer) => [peer.name, pairedRatio(own, samples[peer.name] as number[])])),
    samples,
  };
}

function print(results: readonly OfflineResult[]): void {
  const rows = [['model', 'work', 'engine', 'tok/s median', 'min..max', 'Kvasir / engine', 'spread']];
  for (const result of results) {
    for (const [engine, rate] of Object.entries(result.tokensPerSecond)) {
      const ratio = result.ratioToPeer[engine];
      rows.push([
        result.model,
        result.work,
        engine,
        rate.median.toFixed(1),
        `${rate.min.toFixed(1)}..${rate.max.toFixed(1)}`,
        ratio === undefined ? '' : `${ratio.median.toFixed(2)}x`,
        ratio === undefined ? '' : `${ratio.min.toFixed(2)}..${ratio.max.toFixed(2)}`,
      ]);
    }
  }
  printTable(rows);
}
