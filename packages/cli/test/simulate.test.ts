import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { runInProcess } from './support/run-in-process.js';
import { temporaryFolder } from './support/temporary-folder.js';

const folder = temporaryFolder();

interface Figures {
  readonly outputTokensPerSecond: number;
  readonly meanRunning: number;
  readonly hitRate: number;
  readonly waste: number;
  readonly numRequests: number;
  readonly itl: { readonly p50: number; readonly p99: number };
}

async function simulateJson(...argv: string[]) {
  const { code, stdout, stderr } = await runInProcess(['simulate', '--json', ...argv]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return JSON.parse(stdout) as { numRefused: number; results: Record<string, Figures> };
}

describe('kvasir simulate', () => {
  test('shows what paging and continuous batching bring', async () => {
    const { results } = await simulateJson('--requests', '300', '--arrivals', 'at-once');
    const of = (name: string) => results[name] as Figures;
    expect(of('Kvasir').meanRunning).toBeGreaterThan(2 * of('no paging').meanRunning);
    expect(of('Kvasir').outputTokensPerSecond).toBeGreaterThan(1.5 * of('static batching').outputTokensPerSecond);
    expect(of('Kvasir').waste).toBeLessThan(0.04);
  });

  test('shows what the prefix cache brings to agents, for people and as a chart', async () => {
    const svg = join(folder, 'chart.svg');
    const { code, stdout } = await runInProcess([
      'simulate',
      '--trace',
      'agents',
      '--requests',
      '6',
      '--max-model-len',
      '8192',
      '--svg',
      svg,
    ]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/prompt tokens cached +[5-9]\d\.\d % +0\.0 %/);
    expect(readFileSync(svg, 'utf8')).toMatch(/^<svg .*Kvasir.*static batching.*<\/svg>\n$/s);
  });

  test('a target for the time between tokens is kept, at the cost of the first one', async () => {
    const load = ['--requests', '200', '--rate', '40', '--step-time', 'h100-8b-bf16'];
    const free = (await simulateJson(...load)).results['Kvasir'] as Figures;
    const held = (await simulateJson(...load, '--target-itl-ms', '11')).results['Kvasir'] as Figures;
    expect(held.itl.p99).toBeLessThan(0.9 * free.itl.p99);
  });

  test('reads a trace and prices from files', async () => {
    const trace = join(folder, 'trace.jsonl');
    const line = (timestamp: number, ids: number[], length: number) =>
      JSON.stringify({ timestamp, input_length: length, output_length: 20, hash_ids: ids });
    writeFileSync(trace, [line(0, [1, 2], 1000), line(900, [1, 3], 1000), line(950, [9], 90_000)].join('\n'));
    const prices = join(folder, 'prices.json');
    const tokens = Object.fromEntries([1, 4, 16, 64, 192].map((from) => [`tokenAfter${from}`, 0.1]));
    writeFileSync(prices, JSON.stringify({ step: 2, ...tokens, output: 0, decodeContext: 0, prefillPair: 0 }));
    const { numRefused, results } = await simulateJson('--trace', trace, '--step-time', prices);
    expect(numRefused).toBe(1);
    expect(results['Kvasir']).toMatchObject({ numRequests: 2, hitRate: 512 / 2000 });
  });

  test.each([
    [['--trace', 'nothing'], /--trace: expected chat, agents or a .jsonl file, got 'nothing'/],
    [['--trace', 'missing.jsonl'], /--trace: cannot read missing.jsonl/],
    [['--step-time', 'a100'], /--step-time: expected h100-1b-bf16, .* or a .json file, got 'a100'/],
    [['--max-model-len', '5'], /--max-model-len: all 500 requests of the trace are longer than 5/],
    [['--kv-tokens', '100'], /--kv-tokens: expected room for one sequence of --max-model-len 2048, got 100/],
  ])('refuses %j', async (argv, message) => {
    const { code, stderr } = await runInProcess(['simulate', ...argv]);
    expect(stderr).toMatch(message);
    expect(code).toBe(2);
  });
});
