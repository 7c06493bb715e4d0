import type { EngineObserver, StepRecord } from '@kvasir/engine';
import { describe, expect, test } from 'vitest';
import { StepTrace } from '../../src/terminal/step-trace.js';

/** An engine whose results come when the test says so. */
function setUp() {
  const observers = new Set<EngineObserver>();
  const finished = { stop: 0, length: 0, abort: 0, error: 0 };
  const stats = { numRequests: 1, finished };
  const engine = {
    stats: () => stats,
    observe(observer: EngineObserver) {
      observers.add(observer);
      return () => observers.delete(observer);
    },
  };
  let now = 0;
  let written = '';
  const trace = new StepTrace(
    engine,
    (text) => {
      written += text;
    },
    () => now,
  );
  let stepId = 0;
  return {
    trace,
    stats,
    written: () => written,
    lines: () => {
      trace.close();
      return written
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line));
    },
    /** A step from `submitted` to `result`. */
    step(submitted: number, result: number, computeMs: number) {
      now = result;
      const record = { stepId: stepId++, numTokens: 3, numRows: 2, numOutputs: 1, computeMs };
      for (const observer of observers) observer.onStep?.({ ...record, elapsedMs: result - submitted } as StepRecord);
    },
    finish(finishReason: keyof typeof finished) {
      finished[finishReason]++;
      for (const observer of observers) observer.onFinish?.({ finishReason } as never);
    },
  };
}

describe('a step trace', () => {
  test('is a line a step, and the share of time between steps', () => {
    const { step, lines } = setUp();
    step(10, 20, 8);
    step(22, 30, 7);
    expect(lines()).toEqual([
      { step: 0, rows: 2, tokens: 3, outputs: 1, compute_ms: 8, elapsed_ms: 10, between_ms: null },
      { step: 1, rows: 2, tokens: 3, outputs: 1, compute_ms: 7, elapsed_ms: 8, between_ms: 2 },
      {
        summary: 'steps',
        steps: 2,
        tokens: 6,
        busy_ms: 20,
        compute_ms: 15,
        between_ms: 2,
        between_share: 0.1,
        outside_compute_share: 0.25,
      },
    ]);
  });

  test('counts no time in which there was nothing to run', () => {
    const { step, finish, stats, lines } = setUp();
    step(10, 20, 10);
    finish('stop');
    stats.numRequests++;
    step(1000, 1010, 10);
    expect(lines().slice(1)).toMatchObject([
      { between_ms: null },
      { busy_ms: 20, between_ms: 0, outside_compute_share: 0 },
    ]);
  });

  test('goes on counting while another request runs', () => {
    const { step, finish, stats, lines } = setUp();
    stats.numRequests = 2;
    step(10, 20, 10);
    finish('length');
    step(25, 30, 5);
    expect(lines()[1]).toMatchObject({ between_ms: 5 });
  });

  test('has nothing between steps that overlap', () => {
    const { step, lines } = setUp();
    step(10, 20, 10);
    step(15, 28, 8);
    expect(lines().slice(1)).toMatchObject([
      { between_ms: 0, elapsed_ms: 13 },
      { busy_ms: 18, between_share: 0 },
    ]);
  });

  test('does not measure from a step that failed', () => {
    const { step, finish, stats, lines } = setUp();
    stats.numRequests = 3;
    step(10, 20, 10);
    finish('error');
    step(100, 110, 10);
    expect(lines()[1]).toMatchObject({ between_ms: null });
  });

  test('is written outside of what it measures, and closed once', async () => {
    const { step, trace, written } = setUp();
    step(10, 20, 10);
    expect(written()).toBe('');
    await new Promise((resolve) => setImmediate(resolve));
    expect(written()).toMatch(/^\{"step":0,.*\}\n$/);
    trace.close();
    const whole = written();
    trace.close();
    step(30, 40, 10);
    await new Promise((resolve) => setImmediate(resolve));
    expect(written()).toBe(whole);
  });

  test('without steps is a summary of nothing', () => {
    expect(setUp().lines()).toMatchObject([{ steps: 0, between_share: 0, outside_compute_share: 0 }]);
  });
});
