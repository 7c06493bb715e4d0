import { execFileSync, spawn } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { temporaryFolder } from '../support/temporary-folder.js';
import { writeTinyModel } from '../support/tiny-checkpoint.js';

// A terminal of the system, lent by Python: what the built command sees there, users have.

const BIN = fileURLToPath(new URL('../../bin/kvasir.js', import.meta.url));
const IN_TERMINAL = 'import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))';
const folder = temporaryFolder();
const tiny = join(folder, 'chat.gguf');
const long = join(folder, 'long.gguf');
beforeAll(async () => {
  await writeTinyModel(tiny, {
    'tokenizer.chat_template': "{% for message in messages %}<|im_start|>{{ message['content'] }}{% endfor %}",
  });
  await writeTinyModel(long, { 'llama.context_length': 65_536 });
});

const hasPython = (() => {
  try {
    execFileSync('python3', ['-c', 'import os, pty; os.waitstatus_to_exitcode']);
    return true;
  } catch {
    return false;
  }
})();

const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

function openTerminal(argv: readonly string[], environment: NodeJS.ProcessEnv = {}) {
  const child = spawn('python3', ['-c', IN_TERMINAL, process.execPath, BIN, ...argv], {
    env: { ...process.env, TERM: 'xterm', NO_COLOR: '', ...environment },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  ends.push(() => child.kill('SIGKILL'));
  let text = '';
  let onText = () => {};
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString();
    onText();
  });
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  return {
    ended,
    type: (keys: string) => child.stdin.write(keys),
    text: () => text,
    shows: (pattern: RegExp) =>
      new Promise<RegExpExecArray>((resolve) => {
        onText = () => {
          const match = pattern.exec(text);
          if (match !== null) resolve(match);
        };
        onText();
      }),
  };
}

test.runIf(hasPython)('serve draws a panel on a terminal and ends with Ctrl-C', { timeout: 60_000 }, async () => {
  const terminal = openTerminal(['serve', tiny, '--port', '0']);
  const [, url] = await terminal.shows(/listening on\S* (http:\S+)\r\n\r\ncurl http:.*\r\n/);
  expect(terminal.text()).toContain('\u001b[1mKvasir ');
  expect(terminal.text()).not.toContain('"event"');
  expect((await fetch(`${url}/health`)).status).toBe(200);
  terminal.type('\u0003');
  expect(await terminal.ended).toBe(0);
});

/** A completion that takes some seconds and can be cut off. */
function startLong(url: string, maxTokens: number) {
  const cancel = new AbortController();
  const response = fetch(`${url}/v1/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ prompt: 'abc', max_tokens: maxTokens, ignore_eos: true }),
    signal: cancel.signal,
  });
  response.catch(() => undefined);
  return { response, cancel: () => cancel.abort() };
}

test.runIf(hasPython)('serve has a live status line while requests run', { timeout: 60_000 }, async () => {
  const terminal = openTerminal(['serve', long, '--port', '0', '--max-num-seqs', '1', '--drain-timeout', '0']);
  const [, url = ''] = await terminal.shows(/listening on\S* (http:\S+)\r\n/);
  const running = startLong(url, 60_000);
  await terminal.shows(/1 running, 0 waiting \| in \d+ tok\/s, out \d+ tok\/s \| KV \d+\.\d% \| prefix hits \S+/);
  running.cancel();
  terminal.type('\u0003');
  await terminal.ended;
});

test.runIf(hasPython)('one Ctrl-C reaches a supervised server once: it drains', { timeout: 60_000 }, async () => {
  const terminal = openTerminal(['serve', long, '--port', '0', '--supervise']);
  const [, url = ''] = await terminal.shows(/listening on\S* (http:\S+)\r\n/);
  const running = startLong(url, 4000);
  await expect
    .poll(async () => (await fetch(`${url}/metrics`)).text(), { timeout: 20_000 })
    .toMatch(/running\{.*\} 1\n/);
  terminal.type('\u0003');
  await terminal.shows(/SIGINT: letting 1 request end, at most 30 s; once more ends them now/);
  expect((await running.response).status).toBe(200);
  expect(await terminal.ended).toBe(0);
});

test.runIf(hasPython)('chat answers on a terminal, plain with NO_COLOR', { timeout: 60_000 }, async () => {
  const terminal = openTerminal(['chat', tiny, '--max-tokens', '4'], { NO_COLOR: '1' });
  await terminal.shows(/> /);
  terminal.type('abc\r');
  await terminal.shows(/\[\d+ tokens?, .* cached\]/);
  await terminal.shows(/cached\][^>]*> /);
  terminal.type('/exit\r');
  expect(await terminal.ended).toBe(0);
  // Codes of colour and weight end in m; readline moves the cursor with others.
  expect(
    terminal
      .text()
      .split('\u001b')
      .some((code) => /^\[[\d;]*m/.test(code)),
  ).toBe(false);
});
