import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { Clock } from '../../src/index.js';
import { collect, join, request, startEngine } from '../support/harness.js';

/** A clock that stands until told. */
class StillClock implements Clock {
  nowMs = 0;
  readonly #sleepers = new Set<() => void>();

  now(): number {
    return this.nowMs;
  }

  sleep(ms: number, signal: AbortSignal): Promise<void> {
    const endMs = this.nowMs + ms;
    return new Promise((resolve) => {
      const wake = () => {
        if (this.nowMs < endMs && !signal.aborted) return;
        this.#sleepers.delete(wake);
        resolve();
      };
      this.#sleepers.add(wake);
      signal.addEventListener('abort', wake);
      wake();
    });
  }

  get numSleepers(): number {
    return this.#sleepers.size;
  }

  async pass(ms: number): Promise<void> {
    this.nowMs += ms;
    for (const wake of [...this.#sleepers]) wake();
    await turn();
  }
}

const MICROS_PER_TOKEN = 1000;
const long = { maxTokens: 60, ignoreEos: true };

/** An engine whose clock moves by what each step says it takes. */
async function start(options: { readonly maxNumBatchedTokens?: number; readonly maxModelLen?: number } = {}) {
  const clock = new StillClock();
  const harness = await startEngine({
    ...options,
    clock,
    numBlocks: 200,
    stepMicros: (numTokens) => {
      clock.nowMs += (numTokens * MICROS_PER_TOKEN) / 1000;
      return numTokens * MICROS_PER_TOKEN;
    },
  });
  return { ...harness, clock };
}

describe('a request with a deadline', () => {
  it('ends with an error that says so when its time has passed, in whatever state it is', async () => {
    const { engine, clock } = await start();
    const running = collect(engine.submit(request([1, 2], long, 'r', { timeoutMs: 20, n: 2 })));
    const queued = collect(engine.submit(request([3], long, 'q', { timeoutMs: 5000 }), { arrivalMs: -5000 }));
    running.catch(() => undefined);
    await expect(queued).rejects.toMatchObject({
      code: 'ERR_DEADLINE_EXCEEDED',
      facts: { requestId: 'q', timeoutMs: 5000, completionTokens: 0 },
    });
    while (clock.nowMs < 20) await turn();
    await clock.pass(0);
    await expect(running).rejects.toMatchObject({ code: 'ERR_DEADLINE_EXCEEDED', facts: { requestId: 'r' } });
    expect(engine.numUnfinished).toBe(0);
    expect(engine.stats()).toMatchObject({ numDeadlinesExceeded: 2, finished: { abort: 2 } });
    await engine.close();
    engine.checkIntegrity();
  });

  it('is nothing special when it is in time, and leaves no timer', async () => {
    const { engine, clock } = await start();
    const { last } = await join(engine.submit(request([1, 2], { ...long, maxTokens: 5 }, 'r', { timeoutMs: 20 })));
    expect(last.finishReason).toBe('length');
    await turn();
    expect(clock.numSleepers).toBe(0);
    await engine.close();
  });

  it('ends as soon as its first token cannot come in time, with the numbers', async () => {
    const { engine, clock } = await start({ maxNumBatchedTokens: 8, maxModelLen: 512 });
    // Steps of a token a millisecond are seen first.
    await join(engine.submit(request([1], { ...long, maxTokens: 20 })));
    const begunMs = clock.nowMs;
    const prompt = Array.from({ length: 400 }, (_, i) => i % 16);
    const doomed = collect(engine.submit(request(prompt, long, 'd', { timeoutMs: 150 })));
    await expect(doomed).rejects.toMatchObject({
      code: 'ERR_DEADLINE_EXCEEDED',
      // Two steps of 8 have been planned; half the pace is believed.
      facts: { timeoutMs: 150, neededTokens: 384, neededMs: 192 },
    });
    expect(clock.nowMs - begunMs).toBeLessThan(20);
    await engine.close();
  });

  it('is never ended for an estimate while it could be in time', async () => {
    const { engine } = await start({ maxNumBatchedTokens: 8, maxModelLen: 512 });
    await join(engine.submit(request([1], { ...long, maxTokens: 20 })));
    const prompt = Array.from({ length: 400 }, (_, i) => (3 * i) % 16);
    const { last } = await join(engine.submit(request(prompt, { ...long, maxTokens: 1 }, 'd', { timeoutMs: 402 })));
    expect(last.finishReason).toBe('length');
    await engine.close();
  });

  it('is not ended before its first step for a prompt that the cache may hold', async () => {
    const { engine } = await start({ maxNumBatchedTokens: 8, maxModelLen: 512 });
    const prompt = Array.from({ length: 400 }, (_, i) => (5 * i) % 16);
    await join(engine.submit(request(prompt, { ...long, maxTokens: 2 })));
    const again = join(engine.submit(request(prompt, { ...long, maxTokens: 2 }, 'd', { timeoutMs: 30 })));
    expect((await again).last).toMatchObject({ finishReason: 'length', usage: { cachedTokens: 396 } });
    await engine.close();
  });
});
