import { expect, onTestFinished, test } from 'vitest';
import { EMBEDDING_MODEL, startKvasir } from '../../setup/kvasir.js';
import { runPython } from '../../setup/run-python.js';

test('schemathesis finds no failure in /openapi.json', async () => {
  // A short context bounds what the longest answer that it asks for costs. It tries each limit of a schema, so those of
  // embeddings are low: by default what goes beyond them is longer than a body may be, which is a 413 in place of a 400.
  const flags = ['--max-model-len', '64', '--trust-request-chat-template', '--embedding-model', EMBEDDING_MODEL];
  flags.push('--max-embedding-inputs', '4', '--max-input-characters', '100');
  const server = await startKvasir([...flags, '--api-key', 'sk-user', '--admin-key', 'sk-admin']);
  onTestFinished(async () => void (await server.stop()));
  const args = ['run', `${server.url}/openapi.json`, '--header', 'Authorization: Bearer sk-user', '--no-color'];
  const { code, output } = await runPython('schemathesis', ['--config-file', 'schemathesis.toml', ...args]);
  expect(code, output).toBe(0);
  expect(output).toMatch(/[1-9]\d{2,} generated, \d+ passed|No issues found/);
  expect((await fetch(`${server.url}/health`)).status).toBe(200);
}, 150_000);
