import { createKvCacheManager } from '@kvasir/block-manager';
import { completeSampling, drawRandomSeed, Engine } from '@kvasir/engine';
import type { KvGroup, SessionOptions } from '@kvasir/interfaces';
import { createCpuBackend } from '@kvasir/kernels-cpu';
import { decoderProgram, openModel } from '@kvasir/model';
import { createScheduler } from '@kvasir/scheduler';
import type { ServedRequest, StepSample, Trace } from '@kvasir/scheduler/simulate';
import { loadTokenizer } from '@kvasir/tokenizer';
import { RecordingScheduler } from './recording-scheduler.js';

/** What the real engine and the simulated one have in common. */
const SIZES = {
  maxNumSeqs: 16,
  maxNumBatchedTokens: 256,
  maxModelLen: 1024,
  blockSize: 16,
  numBlocks: 513,
} as const;

/** The bookkeeping of one engine: fresh, so that a real run and a simulated one begin alike. */
export function createBookkeeping(groups: readonly KvGroup[]) {
  const { numBlocks, blockSize, maxNumSeqs, maxNumBatchedTokens, maxModelLen } = SIZES;
  const kvCache = createKvCacheManager({ numBlocks, blockSize, groups });
  return { kvCache, scheduler: createScheduler({ kvCache, maxNumSeqs, maxNumBatchedTokens, maxModelLen }) };
}

/** A real model behind a scheduler that is watched. */
export interface RealEngine {
  readonly groups: readonly KvGroup[];
  readonly vocabSize: number;
  /** Runs a trace in real time. Steps are those since the last run. */
  run(trace: Trace): Promise<{ readonly requests: readonly ServedRequest[]; readonly steps: readonly StepSample[] }>;
  close(): Promise<void>;
}

/** Loads a model on the CPU. */
export async function openRealEngine(modelPath: string, numThreads: number): Promise<RealEngine> {
  const description = await openModel(modelPath);
  const backend = createCpuBackend({ numThreads });
  const { maxNumSeqs, maxNumBatchedTokens, maxModelLen, blockSize, numBlocks } = SIZES;
  const sessionOptions: SessionOptions = {
    programs: [decoderProgram(description)],
    mode: 'auto',
    kvCacheDtype: 'auto',
    blockSize,
    numBlocks,
    maxSlots: maxNumSeqs,
    maxModelLen,
    maxTokensPerStep: maxNumBatchedTokens,
    maxOutputsPerStep: maxNumSeqs,
    maxTopLogprobs: 0,
    maxInFlight: 1,
    eosTokenIds: [],
    numThreads,
  };
  const [session, tokenizer] = await Promise.all([
    backend.openSession(sessionOptions),
    loadTokenizer(description.tokenizer),
  ]);
  const groups = session.info.plan.kvGroups;
  const { kvCache, scheduler } = createBookkeeping(groups);
  const recording = new RecordingScheduler(scheduler);
  const { vocabSize } = description.program;
  const limits = { ...SIZES, maxQueuedRequests: 10_000, maxLogprobs: 0, vocabSize, maxInFlight: 1 };
  const engine = new Engine({ session, kvCache, tokenizer, scheduler: recording, limits });
  return {
    groups,
    vocabSize,
    async run(trace) {
      recording.samples.length = 0;
      const requests = await runTrace(engine, trace);
      return { requests, steps: [...recording.samples] };
    },
    async close() {
      await engine.close();
      await tokenizer.close?.();
    },
  };
}

function runTrace(engine: Engine, trace: Trace): Promise<ServedRequest[]> {
  const startedAt = performance.now();
  return Promise.all(
    trace.map(async ({ arrivalMs, promptTokenIds, outputTokenIds, tenant }, index): Promise<ServedRequest> => {
      await new Promise((resolve) => setTimeout(resolve, arrivalMs - (performance.now() - startedAt)));
      const arrivedMs = performance.now() - startedAt;
      const options = { temperature: 0, maxTokens: outputTokenIds.length, ignoreEos: true };
      const sampling = completeSampling(options, drawRandomSeed);
      const tokenMs: number[] = [];
      let cachedTokens = 0;
      for await (const delta of engine.submit({ requestId: `trace-${index}`, promptTokenIds, sampling })) {
        const now = performance.now() - startedAt;
        for (let i = 0; i < delta.tokenIds.length; i++) tokenMs.push(now);
        cachedTokens = delta.usage.cachedTokens;
      }
      return { arrivalMs: arrivedMs, promptLength: promptTokenIds.length, cachedTokens, tokenMs, tenant };
    }),
  );
}
