import { spawn } from 'node:child_process';
import { expect, test } from 'vitest';
import { served } from '../setup/served.js';

const { baseURL, model } = served();

test('curl -N shows a stream while it is made', async () => {
  const body = {
    model,
    messages: [{ role: 'user', content: 'Count.' }],
    max_tokens: 64,
    stream: true,
    ignore_eos: true,
  };
  const args = ['-N', '--silent', '--show-error', '--fail-with-body', `${baseURL}/chat/completions`];
  args.push('--header', 'content-type: application/json', '--data', JSON.stringify(body));
  const curl = spawn('curl', args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const arrivals: number[] = [];
  let output = '';
  curl.stdout.on('data', (chunk: Buffer) => {
    arrivals.push(performance.now());
    output += chunk.toString();
  });
  const code = await new Promise((resolve, reject) => curl.once('error', reject).once('close', resolve));
  expect(code).toBe(0);
  const events = output.split('\n\n').filter((event) => event !== '');
  expect(events.every((event) => event.startsWith('data: '))).toBe(true);
  expect(events.pop()).toBe('data: [DONE]');
  const chunks = events.map((event) => JSON.parse(event.slice('data: '.length)));
  expect(chunks[0].choices[0].delta).toEqual({ role: 'assistant', content: '' });
  expect(chunks.at(-1).choices[0].finish_reason).toBe('length');
  // One write a token, not one at the end.
  expect(arrivals.length).toBeGreaterThan(16);
  expect(arrivals.at(-1)! - arrivals[0]!).toBeGreaterThan(20);
});
