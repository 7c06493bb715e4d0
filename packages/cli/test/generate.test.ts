import { describe, expect, test } from 'vitest';
import { realModelPath } from './support/real-model.js';
import { runInProcess } from './support/run-in-process.js';
import { spawnKvasir } from './support/spawn-kvasir.js';
import { temporaryFolder } from './support/temporary-folder.js';
import { writeTinyModel } from './support/tiny-checkpoint.js';

const folder = temporaryFolder();
const greedy = ['--temperature', '0', '--max-tokens', '12'];
const generate = (argv: readonly string[], stdin = '') =>
  runInProcess(['generate', realModelPath('smollm2'), ...argv], { stdin });

describe('kvasir generate', { timeout: 60_000 }, () => {
  test('answers a prompt and says how fast it was', async () => {
    const { code, stdout, stderr } = await generate(['--prompt', 'What is 2 + 2?', ...greedy]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^.*\w.*\n/);
    expect(stderr).toMatch(/^\d+ prompt tokens, first token after \d+ ms; \d+ tokens, \d+\.\d tokens\/s\n$/);
  });

  test('takes the prompt from stdin, without the newline at its end', async () => {
    const given = await generate(['--prompt', 'What is 2 + 2?', ...greedy]);
    const piped = await generate(greedy, 'What is 2 + 2?\n');
    expect(piped.stdout).toBe(given.stdout);
  });

  test('continues plain text with --no-chat', async () => {
    const { stdout, stderr } = await generate(['--no-chat', '--prompt', 'One, two, three,', ...greedy]);
    expect(stdout).toContain('four');
    expect(stderr).toMatch(/; 12 tokens, /);
  });

  test('gives the same text for the same seed, and other text for another', async () => {
    const sampled = ['--prompt', 'Tell me a story.', '--temperature', '1.2', '--max-tokens', '24'];
    const first = await generate([...sampled, '--seed', '7']);
    expect((await generate([...sampled, '--seed', '7'])).stdout).toBe(first.stdout);
    expect((await generate([...sampled, '--seed', '8'])).stdout).not.toBe(first.stdout);
  });

  test('refuses a prompt that is too long in one line', async () => {
    const { code, stdout, stderr } = await generate(['--max-model-len', '16', '--prompt', 'word '.repeat(40)]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^kvasir generate: the prompt has \d+ tokens, expected at most 15 .*\n$/);
  });

  test('refuses --chat on a model without a template', async () => {
    const tiny = `${folder}/tiny.gguf`;
    await writeTinyModel(tiny);
    expect(await runInProcess(['generate', tiny, '--chat', '--prompt', 'abc'])).toEqual({
      code: 2,
      stdout: '',
      stderr: 'kvasir generate: --chat: Tiny has no chat template; leave it out to continue plain text\n',
    });
  });

  test('--generation-config says whether what is left out is as the model asks', async () => {
    const tiny = `${folder}/asks.gguf`;
    await writeTinyModel(tiny, { 'general.sampling.top_k': 1 });
    const say = async (...flags: string[]) =>
      (await runInProcess(['generate', tiny, '--prompt', 'abc', '--max-tokens', '12', '--seed', '7', ...flags])).stdout;
    const likeliest = await say('--temperature', '0');
    expect(await say()).toBe(likeliest);
    expect(await say('--generation-config', 'auto')).toBe(likeliest);
    expect(await say('--generation-config', 'vllm')).not.toBe(likeliest);
  });

  test('--trace-steps writes a JSON line a step, and what was between them', async () => {
    const { code, stdout, stderr } = await generate(['--no-chat', '--prompt', 'One, two', '--trace-steps', ...greedy]);
    expect(code).toBe(0);
    expect(stdout).not.toContain('"step"');
    const lines = stderr.split('\n').filter((line) => line.startsWith('{'));
    const [summary, ...steps] = lines.map((line) => JSON.parse(line)).reverse();
    steps.reverse();
    expect(steps).toHaveLength(12);
    expect(steps[0]).toMatchObject({ rows: 1, outputs: 1, between_ms: null });
    expect(steps[0].tokens).toBeGreaterThan(1);
    for (const step of steps.slice(1)) expect(step).toMatchObject({ rows: 1, tokens: 1, outputs: 1 });
    const sum = (field: string) => steps.reduce((total, step) => total + step[field], 0);
    expect(summary).toMatchObject({ summary: 'steps', steps: 12, tokens: sum('tokens') });
    expect(summary.compute_ms).toBeCloseTo(sum('compute_ms'), 1);
    expect(summary.between_ms).toBeCloseTo(sum('between_ms'), 1);
    expect(summary.between_share).toBeGreaterThanOrEqual(0);
    expect(summary.between_share).toBeLessThan(1);
  });

  test('streams, and Ctrl-C ends it with what there is and exit code 130', async () => {
    const argv = ['--no-chat', '--prompt', 'Once upon a time', '--max-tokens', '8000'];
    const running = spawnKvasir(['generate', realModelPath('smollm2'), ...argv]);
    await running.said(/\w/);
    running.kill('SIGINT');
    const { code, stdout, stderr } = await running.ended;
    expect(code).toBe(130);
    expect(stdout).toMatch(/\w[\s\S]*\n$/);
    expect(stderr).toMatch(/^\d+ prompt tokens, first token after \d+ ms; \d+ tokens, /);
  });
});
