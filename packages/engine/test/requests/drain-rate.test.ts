import { describe, expect, it } from 'vitest';
import { DrainRate } from '../../src/requests/drain-rate.js';
import { collect, request, startEngine } from '../support/harness.js';

const idle = { numPlaces: 1, leastTokensLeft: undefined, numRunning: 0 };

describe('when there should be room again', () => {
  it('is by the places that became free over the window', () => {
    const drain = new DrainRate();
    drain.restart(1000);
    for (let ms = 1000; ms < 6000; ms += 500) drain.finished(1, ms);
    // 10 places in 5 s.
    expect(drain.retryAfterMs({ ...idle, numPlaces: 4 }, 6000)).toBe(2000);
    // Never further ahead than ten times what was seen, nor than a minute.
    expect(drain.retryAfterMs({ ...idle, numPlaces: 1000 }, 6000)).toBe(50_000);
    expect(drain.retryAfterMs({ ...idle, numPlaces: 1000 }, 8000)).toBe(60_000);
    // The window forgets.
    expect(drain.retryAfterMs(idle, 30_000)).toBe(1000);
  });

  it('is by the tokens that the first running one still takes while nothing has finished', () => {
    const drain = new DrainRate();
    drain.restart(0);
    for (let ms = 0; ms < 1000; ms += 10) drain.generated(4, ms);
    // 400 tokens a second over 4 sequences, 50 left of the first.
    expect(drain.retryAfterMs({ numPlaces: 1, leastTokensLeft: 50, numRunning: 4 }, 1000)).toBe(500);
  });

  it('is a second when nothing was measured, and starts anew with each queue', () => {
    const drain = new DrainRate();
    expect(drain.retryAfterMs(idle, 0)).toBe(1000);
    drain.restart(100_000);
    drain.finished(1000, 100_010);
    expect(drain.retryAfterMs(idle, 100_500)).toBe(100);
    drain.restart(100_600);
    expect(drain.retryAfterMs(idle, 100_700)).toBe(1000);
  });

  it('is as soon by what has just been measured', () => {
    const drain = new DrainRate();
    drain.restart(5000);
    drain.generated(1, 5013);
    drain.generated(1, 5026);
    // 80 tokens at 2 in 30 ms.
    const running = { numPlaces: 1, leastTokensLeft: 80, numRunning: 1 };
    expect(drain.retryAfterMs(running, 5030)).toBe(1000);
    drain.generated(10, 5150);
    // 12 in 200 ms.
    expect(drain.retryAfterMs(running, 5200)).toBe(1334);
    expect(drain.retryAfterMs({ ...running, leastTokensLeft: 300 }, 5200)).toBe(2000);
    // The first step may have begun long before the queue did.
    drain.restart(6000);
    drain.finished(32, 6001);
    expect(drain.retryAfterMs({ ...idle, numPlaces: 32 }, 6002)).toBe(1000);
  });

  it('is told by a full queue', async () => {
    const { engine } = await startEngine({ maxQueuedRequests: 1 });
    const stream = engine.submit(request([1], { maxTokens: 1 }));
    expect(() => engine.submit(request([2]))).toThrow(
      expect.objectContaining({ code: 'ERR_QUEUE_FULL', numQueued: 1, maxQueued: 1, retryAfterMs: 1000 }),
    );
    await collect(stream);
    await engine.close();
  });
});
