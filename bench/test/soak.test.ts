import { expect, it } from 'vitest';
import { judgeSoak } from '../src/soak/judge-soak.js';
import { soakServer } from '../src/soak/soak-server.js';
import { Tally } from '../src/soak/tally.js';

const SECONDS = 60;

it('a minute of random load loses nothing, leaks nothing and ends cleanly', { timeout: 180_000 }, async () => {
  const modelPath = process.env.KVASIR_TEST_SMOLLM2 as string;
  const seed = Number(process.env.KVASIR_TEST_SEED ?? Math.trunc(Math.random() * 1e9));
  const report = await soakServer({ modelPath, seconds: SECONDS, seed, threads: 2, serveFlags: [] });
  const { tally } = report;
  const seen = `seed ${seed}: ${JSON.stringify(Object.fromEntries(tally.counts))}`;
  expect(judgeSoak(report), seen).toEqual([]);
  // The load is worth its name only if every way through the server was taken.
  for (const outcome of ['complete', 'left', 'refused', 'busy'] as const)
    expect(tally.of(outcome), seen).toBeGreaterThan(0);
  expect(report.preemptions, seen).toBeGreaterThan(0);
});

it('finds what is wrong', () => {
  const tally = new Tally();
  tally.add('short', 'complete', 3);
  const idle = { running: 0, waiting: 0, kvCacheUsage: 0 };
  const good = { tally, preemptions: 0, stateAfter: idle, exitCode: 0, residentBytes: [] };
  expect(judgeSoak(good)).toEqual([]);
  expect(judgeSoak({ ...good, stateAfter: { ...idle, kvCacheUsage: 0.1 } })).toHaveLength(1);
  expect(judgeSoak({ ...good, stateAfter: { ...idle, running: 1 } })).toHaveLength(1);
  expect(judgeSoak({ ...good, exitCode: null })).toHaveLength(1);
  const growing = Array.from({ length: 100 }, (_, second) => 2 ** 28 + second * 2 ** 21);
  expect(judgeSoak({ ...good, residentBytes: growing })).toHaveLength(1);
  expect(judgeSoak({ ...good, tally: new Tally() })).toHaveLength(1);
  const lossy = new Tally();
  lossy.add('short', 'complete', 3);
  lossy.lose('probe', 'another token');
  expect(judgeSoak({ ...good, tally: lossy })).toEqual(['lost: probe: another token']);
});
