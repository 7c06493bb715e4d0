import { createKvCacheManager } from '@kvasir/block-manager';
import { createScheduler } from '@kvasir/scheduler';
import {
  agentTrace,
  chatTrace,
  createTrace,
  H100_MODELS,
  longestRequest,
  poissonArrivals,
  rooflineStepTime,
  type StepTime,
  simulate,
  simulateStatic,
  summarize,
  type Trace,
  withinLength,
} from '@kvasir/scheduler/simulate';
import { describe, expect, it } from 'vitest';

const MAX_MODEL_LEN = 2048;

/** @param blockSize - As long as the longest sequence: memory is set aside whole, as before paging. */
function run(trace: Trace, stepTime: StepTime, poolTokens: number, blockSize: number, maxNumSeqs = 256) {
  const kvCache = createKvCacheManager({
    numBlocks: Math.floor(poolTokens / blockSize) + 1,
    blockSize,
    groups: [{ kind: 'full', bytesPerBlock: blockSize }],
    enablePrefixCaching: blockSize < MAX_MODEL_LEN,
  });
  const scheduler = createScheduler({
    kvCache,
    maxNumSeqs,
    maxNumBatchedTokens: 2048,
    maxModelLen: MAX_MODEL_LEN,
  });
  const simulation = simulate({ trace, scheduler, kvCache, stepTime });
  scheduler.checkIntegrity();
  kvCache.checkIntegrity();
  expect(kvCache.numFreeBlocks).toBe(kvCache.numBlocks);
  return { simulation, summary: summarize(simulation) };
}

describe('simulate', () => {
  it('adds up to what can be said by hand', () => {
    // 100 prompt tokens, 3 output tokens, alone: one prefill step, two decode steps.
    const trace = createTrace([
      { arrivalMs: 5, promptTokenIds: new Int32Array(100).fill(1), outputTokenIds: new Int32Array([7, 8, 9]) },
    ]);
    const stepTime: StepTime = ({ numTokens, decodeContext, prefillPairs }) =>
      1 + numTokens + 10 * decodeContext + 0.01 * prefillPairs;
    const { simulation } = run(trace, stepTime, 4096, 16);
    const prefill = 1 + 100 + 0.01 * 5050;
    const first = 1 + 1 + 10 * 101;
    const second = 1 + 1 + 10 * 102;
    const expected = [5 + prefill, 5 + prefill + first, 5 + prefill + first + second];
    for (const [i, time] of expected.entries()) expect(simulation.requests[0]?.tokenMs[i]).toBeCloseTo(time, 6);
    expect(simulation.computedTokens).toBe(102);
  });

  it('gives every request its tokens, in time, whatever the pool', () => {
    for (const poolTokens of [2048, 4096, 20_000]) {
      const trace = chatTrace({ numRequests: 60, arrivals: poissonArrivals(40), seed: poolTokens });
      const { simulation, summary } = run(trace, () => 10, poolTokens, 16);
      expect(simulation.requests.map(({ tokenMs }) => tokenMs.length)).toEqual(
        trace.map(({ outputTokenIds }) => outputTokenIds.length),
      );
      for (const { arrivalMs, tokenMs } of simulation.requests) {
        let before = arrivalMs;
        for (const time of tokenMs) {
          expect(time).toBeGreaterThan(before);
          before = time;
        }
      }
      expect(summary.outputTokens).toBe(trace.reduce((sum, each) => sum + each.outputTokenIds.length, 0));
      if (poolTokens === 2048) expect(summary.numPreemptions).toBeGreaterThan(0);
    }
  });

  it('is the same every time', () => {
    const trace = chatTrace({ numRequests: 30, arrivals: poissonArrivals(20), seed: 3 });
    expect(run(trace, () => 7, 4096, 16).summary).toEqual(run(trace, () => 7, 4096, 16).summary);
  });
});

describe('what paging and continuous batching bring', () => {
  const stepTime = rooflineStepTime(H100_MODELS['h100-8b-bf16']);
  const poolTokens = 64 * MAX_MODEL_LEN;
  const { trace } = withinLength(
    chatTrace({ numRequests: 600, arrivals: poissonArrivals(Number.POSITIVE_INFINITY), seed: 1 }),
    MAX_MODEL_LEN,
  );
  const paged = run(trace, stepTime, poolTokens, 16, 512).summary;
  const unpaged = run(trace, stepTime, poolTokens, MAX_MODEL_LEN, 512).summary;
  const fixed = summarize(simulateStatic({ trace, stepTime, batchSize: 64, reservedTokens: MAX_MODEL_LEN }));

  it('paging runs two to five times as many sequences in the same memory, and wastes next to nothing', () => {
    const gain = paged.meanRunning / unpaged.meanRunning;
    expect(gain).toBeGreaterThan(2);
    expect(gain).toBeLessThan(5);
    expect(paged.waste).toBeLessThan(0.04);
    expect(unpaged.waste).toBeGreaterThan(0.5);
  });

  it('continuous batching beats static batching in the same memory', () => {
    expect(unpaged.outputTokensPerSecond).toBeGreaterThan(1.3 * fixed.outputTokensPerSecond);
    expect(paged.outputTokensPerSecond).toBeGreaterThan(1.5 * fixed.outputTokensPerSecond);
    expect(paged.ttft.p50).toBeLessThan(fixed.ttft.p50);
    // Padding and rows that have ended are computed all the same.
    expect(fixed.computedShare).toBeGreaterThan(1.5);
    expect(unpaged.computedShare).toBeCloseTo(1, 6);
  });

  it('the prefix cache answers most of an agent trace', () => {
    const agents = withinLength(
      agentTrace({
        numSessions: 20,
        arrivals: poissonArrivals(2),
        systemPromptTokens: 400,
        meanTurns: 3,
        meanTurnTokens: 60,
        meanOutputTokens: 30,
        seed: 5,
      }),
      MAX_MODEL_LEN,
    ).trace;
    expect(longestRequest(agents)).toBeLessThanOrEqual(MAX_MODEL_LEN);
    const { summary } = run(agents, stepTime, poolTokens, 16);
    expect(summary.hitRate).toBeGreaterThan(0.6);
    expect(run(agents, stepTime, poolTokens, MAX_MODEL_LEN).summary.hitRate).toBe(0);
  });
});
