import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { startPython } from '../../setup/run-python.js';
import { served } from '../../setup/served.js';

const { baseURL, model } = served();
const KEY = 'sk-proxy';

/** A port of loopback that was free a moment ago. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer().once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as { port: number };
      probe.close(() => resolve(port));
    });
  });
}

/** litellm's proxy with the model under the name `small`. @returns Its URL. */
async function startProxy(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'kvasir-proxy-'));
  const config = join(folder, 'config.json');
  const parameters = { model: `hosted_vllm/${model}`, api_base: baseURL, api_key: 'none' };
  await writeFile(config, JSON.stringify({ model_list: [{ model_name: 'small', litellm_params: parameters }] }));
  const port = String(await freePort());
  const args = ['--config', config, '--host', '127.0.0.1', '--port', port, '--telemetry', 'False'];
  const child = startPython('litellm', args, { LITELLM_MASTER_KEY: KEY });
  let said = '';
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
  }
  const closed = new Promise((resolve) => child.once('close', resolve));
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await closed;
    await rm(folder, { recursive: true });
  });
  const url = `http://127.0.0.1:${port}`;
  while (!(await isUp(url))) {
    if (child.exitCode !== null) throw new Error(`litellm ended with ${child.exitCode}\n${said}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return url;
}

async function isUp(url: string): Promise<boolean> {
  return (await fetch(`${url}/health/liveliness`).catch(() => undefined))?.ok === true;
}

test('the proxy of litellm answers and streams from a model behind it', async () => {
  const url = await startProxy();
  const post = (fields: object) =>
    fetch(`${url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${KEY}` },
      body: JSON.stringify({
        model: 'small',
        messages: [{ role: 'user', content: 'Name three colours.' }],
        temperature: 0,
        max_tokens: 24,
        ...fields,
      }),
    });
  const whole = await post({});
  const body = (await whole.json()) as { choices: { message: { content: string } }[]; usage: Record<string, number> };
  expect(whole.status, JSON.stringify(body)).toBe(200);
  expect(body.choices[0]!.message.content).toMatch(/\w/);
  expect(body.usage['completion_tokens']).toBe(24);

  const events = (await (await post({ stream: true })).text()).split('\n\n').filter((event) => event !== '');
  expect(events.pop()).toBe('data: [DONE]');
  const chunks = events.map((event) => JSON.parse(event.slice('data: '.length)));
  const text = chunks.map(({ choices }) => choices[0]?.delta.content ?? '').join('');
  expect(text).toBe(body.choices[0]!.message.content);

  const refused = await post({ temperature: 9 });
  expect(refused.status).toBe(400);
  expect(await refused.text()).toContain("'temperature' is 9, expected a number from 0 to 2");
});
