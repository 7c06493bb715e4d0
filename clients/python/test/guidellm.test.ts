import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { runPython } from '../../setup/run-python.js';
import { served } from '../../setup/served.js';

const { url } = served();

test('guidellm benchmarks without an error', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'kvasir-guidellm-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const prompts = Array.from({ length: 8 }, (_, i) => ({ prompt: `Tell me about ${i}.`, output_tokens_count: 16 }));
  const [data, report] = [join(folder, 'prompts.jsonl'), join(folder, 'report.json')];
  await writeFile(data, prompts.map((each) => JSON.stringify(each)).join('\n'));
  const args = ['benchmark', 'run', '--target', url, '--rate-type', 'concurrent', '--rate', '4', '--max-requests', '8'];
  args.push('--data', data, '--output-path', report, '--disable-progress');
  const { code, output } = await runPython('guidellm', args);
  expect(code, output).toBe(0);
  const [benchmark] = JSON.parse(await readFile(report, 'utf8')).benchmarks;
  const { requests, metrics } = benchmark;
  expect([requests.successful.length, requests.errored.length, requests.incomplete.length]).toEqual([8, 0, 0]);
  expect(metrics.output_token_count.successful.mean).toBeGreaterThan(0);
  expect(metrics.time_to_first_token_ms.successful.mean).toBeGreaterThan(0);
});
