import { expect, test } from 'vitest';
import { type FullServer, startFullServer } from '../../setup/full-server.js';
import { runPython } from '../../setup/run-python.js';

const PYTEST = ['-q', '--disable-warnings', '--color=no', '-p', 'no:cacheprovider', '-p', 'no:schemathesis'];

test.each(['test_openai.py', 'test_openai_async.py', 'test_litellm.py', 'test_embeddings.py'])('%s', async (file) => {
  const { code, output } = await runPython('pytest', [...PYTEST, file]);
  expect(code, output).toBe(0);
  expect(output).toMatch(/^\d+ passed/m);
});

test('openai tries a 429 again', async () => {
  let full: FullServer | undefined;
  // What fills the server is gone after some seconds, so Python loads everything before.
  const { code, output } = await runPython('python', ['retry_after_429.py'], async (line, reply) => {
    if (line === 'loaded') {
      full = await startFullServer();
      reply(full.url);
    } else if (line === '429') {
      await full!.makeRoom();
    }
  });
  await full?.stop();
  expect(code, output).toBe(0);
  expect(output.trim().split('\n')).toEqual(['loaded', '429', '200', 'answered with 4 tokens']);
});
