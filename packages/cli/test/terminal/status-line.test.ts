import { join } from 'node:path';
import { type EngineObserver, LLM, type StepRecord } from '@kvasir/engine';
import { createCpuBackend } from '@kvasir/kernels-cpu';
import { describe, expect, test } from 'vitest';
import { StatusLine } from '../../src/terminal/status-line.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { writeTinyModel } from '../support/tiny-checkpoint.js';

const tiny = join(temporaryFolder(), 'tiny.gguf');

const CLEAR = '\r\u001b[2K';

/** An engine, a terminal and a timer that the test moves. */
function setUp(columns = 100) {
  const observers = new Set<EngineObserver>();
  const stats = {
    ...{ numRunning: 2, numWaiting: 1, kvCacheUsage: 0.125, generationTokens: 0 },
    ...{ prefixHitTokens: 300, prefixQueriedTokens: 300 },
  };
  const engine = {
    numUnfinished: 3,
    stats: () => stats,
    observe(observer: EngineObserver) {
      observers.add(observer);
      return () => observers.delete(observer);
    },
  };
  let now = 0;
  let tick: (() => void) | undefined;
  const written: string[] = [];
  const screen = { isTTY: true, columns, write: (text: string) => written.push(text) };
  const line = new StatusLine(engine as never, screen, {
    now: () => now,
    every: (_, callback) => {
      tick = callback;
      return () => {
        tick = undefined;
      };
    },
  });
  return {
    engine,
    stats,
    line,
    written,
    observers,
    step: (numTokens: number, generated: number) => {
      stats.generationTokens += generated;
      for (const observer of observers) observer.onStep?.({ numTokens } as StepRecord);
    },
    pass: (ms: number) => {
      now += ms;
      tick?.();
    },
  };
}

describe('the status line', () => {
  test('has no timer and writes nothing before the first step', () => {
    const { line, written } = setUp();
    expect({ isRunning: line.isRunning, written }).toEqual({ isRunning: false, written: [] });
  });

  test('says what runs and how fast, over the time since it last did', () => {
    const { stats, step, pass, written } = setUp();
    step(0, 0);
    step(512, 0);
    step(40, 40);
    stats.prefixQueriedTokens += 4;
    stats.prefixHitTokens += 3;
    pass(2000);
    expect(written).toEqual([
      `${CLEAR}2 running, 1 waiting | in 256 tok/s, out 20 tok/s | KV 12.5% | prefix hits 75.0%`,
    ]);
    pass(1000);
    expect(written.at(-1)).toContain('in 0 tok/s, out 0 tok/s');
  });

  test('prefix hits are those of the last ten seconds, not of all time', () => {
    const { stats, step, pass, written } = setUp();
    step(1, 1);
    pass(1000);
    expect(written.at(-1)).toMatch(/prefix hits -$/);
    stats.prefixQueriedTokens += 100;
    stats.prefixHitTokens += 100;
    pass(1000);
    expect(written.at(-1)).toMatch(/prefix hits 100\.0%$/);
    stats.prefixQueriedTokens += 300;
    pass(1000);
    expect(written.at(-1)).toMatch(/prefix hits 25\.0%$/);
    for (let second = 0; second < 9; second++) pass(1000);
    expect(written.at(-1)).toMatch(/prefix hits 0\.0%$/);
    pass(1000);
    expect(written.at(-1)).toMatch(/prefix hits -$/);
  });

  test('is cleared, and its timer off, once nothing runs; the next step brings both back', () => {
    const { engine, line, step, pass, written } = setUp();
    step(1, 1);
    pass(1000);
    expect(line.isRunning).toBe(true);
    engine.numUnfinished = 0;
    pass(1000);
    expect(line.isRunning).toBe(false);
    expect(written.at(-1)).toBe(CLEAR);
    const numWritten = written.length;
    pass(10_000);
    expect(written).toHaveLength(numWritten);
    engine.numUnfinished = 1;
    step(1, 1);
    expect(line.isRunning).toBe(true);
  });

  test('stays below what else is written', () => {
    const { line, step, pass, written } = setUp();
    line.stream.write('before\n');
    step(1, 1);
    pass(1000);
    const shown = (written.at(-1) as string).slice(CLEAR.length);
    line.stream.write('a warning\n');
    expect(written[0]).toBe('before\n');
    expect(written.at(-1)).toBe(`${CLEAR}a warning\n${shown}`);
  });

  test('never wraps', () => {
    const { step, pass, written } = setUp(20);
    step(1, 1);
    pass(1000);
    expect((written.at(-1) as string).slice(CLEAR.length)).toHaveLength(19);
    const unknown = setUp(0);
    unknown.step(1, 1);
    unknown.pass(1000);
    expect(unknown.written.at(-1)).toMatch(/prefix hits -$/);
  });

  test('is gone after close, with its observer', () => {
    const { line, step, pass, written, observers } = setUp();
    step(1, 1);
    pass(1000);
    line.close();
    line.close();
    expect(written.slice(1)).toEqual([CLEAR]);
    expect({ isRunning: line.isRunning, numObservers: observers.size }).toEqual({ isRunning: false, numObservers: 0 });
  });
});

test('over a real engine it counts every token, and an idle engine has no timer', async () => {
  await writeTinyModel(tiny);
  await using llm = await LLM.load({ model: tiny, backend: createCpuBackend({ numThreads: 1 }) });
  const written: string[] = [];
  let tick = () => {};
  let now = 0;
  let isOn = false;
  const line = new StatusLine(
    llm.engine,
    { isTTY: true, write: (text) => written.push(text) },
    {
      now: () => now,
      every: (_, callback) => {
        tick = callback;
        isOn = true;
        return () => {
          isOn = false;
        };
      },
    },
  );
  let numTokens = 0;
  for await (const delta of llm.stream('abcabcabc', { maxTokens: 40, temperature: 0, ignoreEos: true })) {
    numTokens += delta.tokenIds.length;
    if (numTokens !== 40 && written.length === 0) {
      now += 1000;
      tick();
    }
  }
  expect(numTokens).toBe(40);
  expect(written[0]).toMatch(/1 running, 0 waiting \| in \d+ tok\/s, out \d+ tok\/s \| KV \d+\.\d% \| prefix hits /);
  expect({ isOn, isRunning: line.isRunning }).toEqual({ isOn: true, isRunning: true });
  now += 1000;
  tick();
  expect({ isOn, isRunning: line.isRunning }).toEqual({ isOn: false, isRunning: false });
  expect(written.at(-1)).toBe(CLEAR);
  line.close();
});
