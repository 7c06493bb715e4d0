import { describe, expect, it, vi } from 'vitest';
import type { EngineObserver, RequestRecord, StepRecord } from '../src/index.js';
import { collect, request, startEngine } from './support/harness.js';

describe('what an observer hears', () => {
  it('is one queue time, one first token, the gaps between tokens, every step and one end a request', async () => {
    const { engine } = await startEngine();
    const heard = { queue: 0, first: 0, inter: 0, steps: [] as StepRecord[], ends: [] as RequestRecord[] };
    const observer: EngineObserver = {
      onQueueTime: () => heard.queue++,
      onFirstToken: () => heard.first++,
      onInterToken: () => heard.inter++,
      onStep: (record) => heard.steps.push(record),
      onFinish: (record) => heard.ends.push(record),
    };
    const stop = engine.observe(observer);
    await collect(engine.submit(request([1, 2, 3], { maxTokens: 5, ignoreEos: true, seed: 3 }, 'a')));
    expect(heard).toMatchObject({ queue: 1, first: 1, inter: 4 });
    expect(heard.steps.map(({ numTokens, numRows, numOutputs }) => [numTokens, numRows, numOutputs])).toEqual([
      [3, 1, 1],
      [1, 1, 1],
      [1, 1, 1],
      [1, 1, 1],
      [1, 1, 1],
    ]);
    expect(heard.ends).toHaveLength(1);
    expect(heard.ends[0]).toMatchObject({ requestId: 'a', seed: 3n, finishReason: 'length', maxTokens: 5 });
    const { queueMs, prefillMs, decodeMs, timeToFirstTokenMs, endToEndMs } = heard.ends[0] as RequestRecord;
    expect(timeToFirstTokenMs).toBeCloseTo((queueMs ?? 0) + (prefillMs ?? 0), 6);
    expect(endToEndMs).toBeGreaterThanOrEqual((timeToFirstTokenMs ?? 0) + (decodeMs ?? 0));
    stop();
    await collect(engine.submit(request([1], { maxTokens: 1 })));
    expect(heard.ends).toHaveLength(1);
    await engine.close();
  });

  it('counts from when the request arrived, on the injected clock', async () => {
    const { engine } = await startEngine();
    const ends: RequestRecord[] = [];
    engine.observe({ onFinish: (record) => ends.push(record) });
    await collect(engine.submit(request([1], { maxTokens: 1 }), { arrivalMs: performance.now() - 5000 }));
    expect(ends[0]?.queueMs).toBeGreaterThanOrEqual(5000);
    await engine.close();
  });

  it('is nothing more once it throws, and the engine goes on', async () => {
    const { engine } = await startEngine();
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    engine.observe({
      onStep: () => {
        throw new Error('broken metrics');
      },
    });
    const deltas = await collect(engine.submit(request([1], { maxTokens: 3, ignoreEos: true })));
    expect(deltas.at(-1)?.finishReason).toBe('length');
    expect(warn).toHaveBeenCalledTimes(1);
    warn.mockRestore();
    await engine.close();
  });

  it('agrees with the counters', async () => {
    const { engine } = await startEngine({ blockSize: 2 });
    const prompt = [2, 3, 4, 5, 6];
    const sampling = { maxTokens: 3, ignoreEos: true };
    await collect(engine.submit(request(prompt, sampling)));
    await collect(engine.submit(request(prompt, sampling)));
    expect(engine.stats()).toMatchObject({
      numRunning: 0,
      numWaiting: 0,
      kvCacheUsage: 0,
      numRequests: 2,
      promptTokens: 10,
      cachedPromptTokens: 4,
      generationTokens: 6,
      prefixHitTokens: 4,
      finished: { stop: 0, length: 2, abort: 0, error: 0 },
      numFailedSteps: 0,
    });
    await engine.close();
  });
});
