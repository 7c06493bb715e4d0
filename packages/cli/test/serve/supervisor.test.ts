import { expect, test } from 'vitest';
import { exitCodeOf, type ProcessEnd, Supervisor, type SupervisorOptions } from '../../src/serve/supervisor.js';

/** One start of the server: how it ends, and whether it listened before. */
type Life = ProcessEnd & { readonly wasReady: boolean };

const crash: Life = { code: null, signal: 'SIGSEGV', wasReady: true };
const failedStart: Life = { code: 1, signal: null, wasReady: false };
const asked: Life = { code: 0, signal: null, wasReady: true };

/** Supervises servers that end as `lives` say, in no time. */
async function superviseLives(lives: readonly Life[], options: Partial<SupervisorOptions> = {}) {
  const said: string[] = [];
  let numStarts = 0;
  const supervisor = new Supervisor({
    maxRestarts: 3,
    start: () => {
      const { code, signal, wasReady } = lives[numStarts++] ?? asked;
      return { pid: numStarts, wasReady, ended: Promise.resolve({ code, signal }), kill: () => {} };
    },
    onCrash: ({ restart, delayMs }) => said.push(`crash ${restart} ${delayMs}`),
    onGivenUp: ({ numRestarts }) => said.push(`given up after ${numRestarts}`),
    now: () => 0,
    sleep: () => Promise.resolve(),
    ...options,
  });
  const code = await supervisor.run();
  return { code, numStarts, said };
}

test.each([
  ['asked for', asked, 0],
  ['cut off', { ...asked, code: 3 }, 3],
  ['interrupted', { ...asked, code: 130 }, 130],
  ['before it handled signals', { code: null, signal: 'SIGTERM', wasReady: false } as Life, 143],
  ['a start error', failedStart, 1],
  ['a wrong command line', { ...failedStart, code: 2 }, 2],
])('an end that is %s is the end', async (_name, life, code) => {
  expect(await superviseLives([life])).toEqual({ code, numStarts: 1, said: [] });
});

test.each([
  ['a signal', crash],
  ['a signal while it loads', { ...crash, wasReady: false }],
  ['an unexpected code', { code: 70, signal: null, wasReady: true } as Life],
])('%s is a crash: another is started', async (_name, life) => {
  expect(await superviseLives([life, asked])).toEqual({ code: 0, numStarts: 2, said: ['crash 1 250'] });
});

test('once it has served, a start that fails is tried again, with pauses that double', async () => {
  const { numStarts, said } = await superviseLives([crash, failedStart, failedStart, asked]);
  expect({ numStarts, said }).toEqual({ numStarts: 4, said: ['crash 1 250', 'crash 2 500', 'crash 3 1000'] });
});

test('too many crashes within the window are the end, with the code of the last', async () => {
  const { code, numStarts, said } = await superviseLives(Array.from({ length: 9 }, () => crash));
  expect({ code, numStarts }).toEqual({ code: 139, numStarts: 4 });
  expect(said.at(-1)).toBe('given up after 3');
});

test('crashes that are long past count no more', async () => {
  let now = 0;
  const lives = Array.from({ length: 9 }, () => crash);
  const { numStarts, said } = await superviseLives(lives, { windowMs: 1000, now: () => (now += 600) });
  expect(numStarts).toBe(10);
  expect(new Set(said)).toEqual(new Set(['crash 1 250', 'crash 2 500']));
});

test('without restarts the first crash is the end', async () => {
  expect(await superviseLives([crash], { maxRestarts: 0 })).toMatchObject({ code: 139, numStarts: 1 });
});

test('signals are passed on; after one that asks for the end a crash is the end too', async () => {
  const signals: string[] = [];
  let end: (end: ProcessEnd) => void = () => {};
  const supervisor = new Supervisor({
    maxRestarts: 3,
    start: () => ({
      pid: 1,
      wasReady: true,
      ended: new Promise((resolve) => {
        end = resolve;
      }),
      kill: (signal) => signals.push(signal),
    }),
    onCrash: () => expect.unreachable(),
    onGivenUp: () => expect.unreachable(),
  });
  const code = supervisor.run();
  for (const signal of ['SIGHUP', 'SIGTERM', 'SIGTERM'] as const) supervisor.signal(signal);
  end({ code: null, signal: 'SIGABRT' });
  expect([signals, await code]).toEqual([['SIGHUP', 'SIGTERM', 'SIGTERM'], 134]);
});

test('a signal between two servers ends it without another', async () => {
  let numStarts = 0;
  const supervisor = new Supervisor({
    maxRestarts: 3,
    start: () => {
      numStarts++;
      return { pid: 1, wasReady: true, ended: Promise.resolve(crash), kill: () => {} };
    },
    onCrash: () => setImmediate(() => supervisor.signal('SIGINT')),
    onGivenUp: () => expect.unreachable(),
  });
  expect([await supervisor.run(), numStarts]).toEqual([0, 1]);
});

test('an end by a signal is what shells make of it', () => {
  expect(exitCodeOf({ code: null, signal: 'SIGKILL' })).toBe(137);
});
