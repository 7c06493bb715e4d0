import { expect, onTestFinished, test } from 'vitest';
import { startKvasir } from '../../setup/kvasir.js';
import { runPython } from '../../setup/run-python.js';

test('schemathesis finds no failure in /openapi.json', async () => {
  // A short context bounds what the longest answer that it asks for costs.
  const flags = ['--max-model-len', '64', '--trust-request-chat-template'];
  const server = await startKvasir([...flags, '--api-key', 'sk-user', '--admin-key', 'sk-admin']);
  onTestFinished(async () => void (await server.stop()));
  const args = ['run', `${server.url}/openapi.json`, '--header', 'Authorization: Bearer sk-user', '--no-color'];
  const { code, output } = await runPython('schemathesis', ['--config-file', 'schemathesis.toml', ...args]);
  expect(code, output).toBe(0);
  expect(output).toMatch(/[1-9]\d{2,} generated, \d+ passed|No issues found/);
  expect((await fetch(`${server.url}/health`)).status).toBe(200);
}, 150_000);
