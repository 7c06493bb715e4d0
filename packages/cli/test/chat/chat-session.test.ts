import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { run } from '../../src/run.js';
import { realModelPath } from '../support/real-model.js';
import { runInProcess } from '../support/run-in-process.js';
import { spawnKvasir } from '../support/spawn-kvasir.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { FakeKeyboard, FakeScreen } from '../support/terminal.js';
import { writeTinyModel } from '../support/tiny-checkpoint.js';

const folder = temporaryFolder();
const tiny = join(folder, 'chat.gguf');
const TEMPLATE = "{% for message in messages %}<|im_start|>{{ message['content'] }}<|im_end|>{% endfor %}";
const STATS = /\[\d+ tokens?, (\d+\.\d tokens\/s, )?first after \d+ ms; prompt of (\d+) tokens, (\d+) cached\]/;

beforeAll(() => writeTinyModel(tiny, { 'tokenizer.chat_template': TEMPLATE }));

/** A chat over a pipe: a line an element. */
const chat = (lines: readonly string[], argv: readonly string[] = []) =>
  runInProcess(['chat', tiny, '--temperature', '0', '--max-tokens', '8', ...argv], {
    stdin: lines.map((line) => `${line}\n`).join(''),
  });
const numbers = (stderr: string) =>
  stderr
    .split('\n')
    .map((line) => STATS.exec(line))
    .filter((match) => match !== null)
    .map((match) => ({ prompt: Number(match[2]), cached: Number(match[3]) }));

describe('kvasir chat over a pipe', () => {
  test('answers a line at a time, without prompts and escape codes', async () => {
    const { code, stdout, stderr } = await chat(['abcdefgh', 'abcdefgh']);
    expect(code).toBe(0);
    expect(stdout.split('\n')).toHaveLength(3);
    expect(stdout + stderr).not.toContain('\u001b');
    expect(stdout + stderr).not.toContain('> ');
    expect(numbers(stderr)).toHaveLength(2);
  });

  test('finds the first turn in the prefix cache at the second', async () => {
    const { stderr } = await chat(['abcdefghijklmnopqr'.repeat(3), 'abc']);
    const [first, second] = numbers(stderr);
    expect(first?.cached).toBe(0);
    expect(second?.cached).toBeGreaterThanOrEqual(48);
    expect(second?.prompt).toBeGreaterThan(first?.prompt ?? 0);
  });

  test('/system changes what is sent, and --system begins with it', async () => {
    const { stderr } = await chat(['/system', 'a', '/undo', '/system -', '/system', 'a'], ['--system', 'abababab']);
    expect(stderr).toMatch(/^system prompt: abababab\n/);
    expect(stderr).toContain("system prompt: none but the template's own");
    const [withSystem, without] = numbers(stderr);
    // Four merged pairs and two markers.
    expect((withSystem?.prompt ?? 0) - (without?.prompt ?? 0)).toBe(6);
  });

  test('/undo, /retry and /reset take back what was said', async () => {
    const { stdout, stderr } = await chat([
      'abc',
      'def',
      '/undo',
      'def',
      '/retry',
      '/reset',
      'abc',
      '/reset',
      '/undo',
      '/retry',
    ]);
    const [abc, def, again, retried, reset, ...more] = numbers(stderr);
    expect(again?.prompt).toBe(def?.prompt);
    expect(retried?.prompt).toBe(def?.prompt);
    expect(reset?.prompt).toBe(abc?.prompt);
    expect(more).toEqual([]);
    const answers = stdout.split('\n');
    expect(answers[2]).toBe(answers[1]);
    expect(stderr.match(/nothing was asked yet/g)).toHaveLength(2);
  });

  test('/params shows and changes sampling, all of it or nothing', async () => {
    const { code, stderr } = await chat([
      '/params',
      '/params max-tokens=2 temperature=0.5',
      'abc',
      '/params max-tokens=3 temperature=x',
      '/params temprature=1',
      '/params top-k',
      '/params',
    ]);
    expect(stderr).toContain("max-tokens=8 temperature=0 top-p=the model's top-k=the model's seed=random\n");
    expect(stderr).toContain("temperature: expected a number from 0 to 100, got 'x'\n");
    expect(stderr).toContain('unknown parameter temprature; did you mean temperature?\n');
    expect(stderr).toContain('top-k: expected a value, as in top-k=1\n');
    expect(stderr).toMatch(/\[[12] tokens?, .*cached\]( cut at max-tokens: \/params max-tokens=4 allows more)?\n/);
    expect(stderr.trimEnd().split('\n').at(-1)).toMatch(/^max-tokens=2 temperature=0\.5 /);
    expect(code).toBe(1);
  });

  test('/save writes JSON or Markdown, and nothing over a file of somebody else', async () => {
    const json = join(folder, 'chat.json');
    const markdown = join(folder, 'chat.md');
    const lines = ['/system ab', 'abc', `/save ${json}`, 'def', `/save ${json}`, `/save ${markdown}`];
    expect((await chat(lines)).code).toBe(0);
    const saved = JSON.parse(readFileSync(json, 'utf8'));
    expect(saved.messages.map(({ role }: { role: string }) => role)).toEqual([
      'system',
      'user',
      'assistant',
      'user',
      'assistant',
    ]);
    expect(readFileSync(markdown, 'utf8')).toMatch(/^# Chat with Tiny\n\n## system\n\nab\n\n## user\n\nabc\n/);
    const { code, stderr } = await chat([`/save ${json}`, `/save ${join(folder, 'no', 'where.md')}`, '/save', 'abc']);
    expect(code).toBe(1);
    expect(stderr).toContain(`${json} exists: give another name, or delete it first\n`);
    expect(stderr).toContain('ENOENT');
    expect(stderr).toContain('/save: expected the name of a file\n');
    expect(numbers(stderr)).toHaveLength(1);
    expect(existsSync(join(folder, 'no'))).toBe(false);
  });

  test('says what to do about a conversation that is too long, and keeps it', async () => {
    const lines = [
      'abcdefghijklmnopqr',
      'abcdefghijklmnopqr',
      'abcdefghijklmnopqr'.repeat(4),
      '/undo',
      '/reset',
      'abc',
    ];
    const { code, stderr } = await chat(lines, ['--max-model-len', '64']);
    expect(stderr).toMatch(
      /the conversation would have \d+ tokens, the context holds 64: \/undo takes back the last exchange, \/reset starts over/,
    );
    expect(stderr).toContain('taken back: abcdefghijklmnopqr\n');
    expect(numbers(stderr)).toHaveLength(3);
    expect(code).toBe(1);
    const alone = await chat(['abcdefghijklmnopqr'.repeat(4)], ['--max-model-len', '64']);
    expect(alone.stderr).toContain(': ask a shorter question (');
  });

  test('says that the context is full when an answer has filled it', async () => {
    const { stderr } = await chat(['/params max-tokens=500', 'abcd'], ['--max-model-len', '32']);
    expect(stderr).toMatch(/\] the context of 32 tokens is full: \/undo .*\n$/);
  });

  test('joins lines that end with a backslash, and sends a path as text', async () => {
    const { stderr } = await chat(['a\\', 'b\\', 'c', '/undo', '/a/b', '/undo', '   ', 'a\\']);
    expect(stderr).toContain('taken back: a\nb\nc\n');
    expect(stderr).toContain('taken back: /a/b\n');
    expect(numbers(stderr)).toHaveLength(3);
  });

  test('/help lists commands, /exit leaves at once, an unknown one says which is near', async () => {
    const { stdout, stderr } = await chat(['/help', '/sistem x', '/exit', 'abc']);
    for (const name of ['system', 'reset', 'retry', 'undo', 'params', 'save', 'help', 'exit']) {
      expect(stderr).toMatch(new RegExp(`^ {2}/${name} `, 'm'));
    }
    expect(stderr).toContain('unknown command /sistem; did you mean /system?');
    expect(stdout).toBe('');
  });

  test('refuses a model without a chat template', async () => {
    const base = join(folder, 'base.gguf');
    await writeTinyModel(base);
    expect(await runInProcess(['chat', base])).toEqual({
      code: 2,
      stdout: '',
      stderr: 'kvasir chat: Tiny has no chat template: use kvasir generate, which continues plain text\n',
    });
  });
});

describe('kvasir chat on a terminal', () => {
  function open(environment: NodeJS.ProcessEnv = {}) {
    const [stdin, screen] = [new FakeKeyboard(), new FakeScreen()];
    const argv = ['chat', tiny, '--temperature', '0', '--max-tokens', '8'];
    const ended = run(argv, { stdout: screen, stderr: screen, stdin, environment });
    return { ended, screen, type: (text: string) => stdin.write(text) };
  }

  test('prompts, answers and prompts again, with a history', async () => {
    const { ended, screen, type } = open();
    await screen.shows(/Tiny\. \/help lists commands/);
    await screen.shows(/> /);
    type('abc\r');
    await screen.shows(STATS);
    await screen.shows(/> /);
    type('\u001b[A');
    await screen.shows(/abc/);
    type('\r');
    await screen.shows(STATS);
    await screen.shows(/> /);
    type('\u0004');
    expect(await ended).toBe(0);
  });

  test('takes several pasted lines as so many questions, and keeps the unfinished one for editing', async () => {
    const { ended, screen, type } = open();
    await screen.shows(/> /);
    type('abc\rdef\rgh');
    await screen.shows(STATS);
    await screen.shows(STATS);
    await screen.shows(/> .*gh/);
    type('i\r');
    await screen.shows(STATS);
    await screen.shows(/> /);
    type('/undo\r');
    await screen.shows(/taken back: ghi/);
    type('/exit\r');
    expect(await ended).toBe(0);
  });

  test('leaves with Ctrl-C twice, not with Ctrl-C and a question between', async () => {
    const { ended, screen, type } = open();
    await screen.shows(/> /);
    type('\u0003');
    await screen.shows(/Ctrl-C once more leaves/);
    await screen.shows(/> /);
    type('abc\r');
    await screen.shows(STATS);
    await screen.shows(/> /);
    type('\u0003');
    await screen.shows(/Ctrl-C once more leaves/);
    await screen.shows(/> /);
    type('\u0003');
    expect(await ended).toBe(130);
  });

  test('marks what is not the answer, unless NO_COLOR is set', async () => {
    for (const [environment, isMarked] of [
      [{}, true],
      [{ NO_COLOR: '1' }, false],
    ] as const) {
      const { ended, screen, type } = open(environment);
      await screen.shows(/> /);
      type('\u0004');
      expect(await ended).toBe(0);
      expect(screen.text.includes('\u001b[2m')).toBe(isMarked);
    }
  });
});

describe('Ctrl-C in the built command', { timeout: 30_000 }, () => {
  const argv = ['chat', realModelPath('smollm2'), '--max-tokens', '8000', '--temperature', '0'];

  test('stops the answer and keeps the chat', async () => {
    const chatting = spawnKvasir(argv, { keepsInputOpen: true });
    chatting.process.stdin?.write('Count from 1 to 1000.\n');
    await chatting.said(/\w/);
    chatting.kill('SIGINT');
    await chatting.said(/\] stopped\n/, 'stderr');
    chatting.process.stdin?.end('/params max-tokens=4\nAnd now?\n');
    const { code, stderr } = await chatting.ended;
    expect(code).toBe(0);
    const [, second] = numbers(stderr);
    expect(second?.cached).toBeGreaterThan(0);
  });

  test('twice leaves', async () => {
    const chatting = spawnKvasir(argv, { keepsInputOpen: true });
    chatting.process.stdin?.write('Count from 1 to 1000.\n');
    await chatting.said(/\w/);
    chatting.kill('SIGINT');
    await chatting.said(/\] stopped\n/, 'stderr');
    chatting.kill('SIGINT');
    expect((await chatting.ended).code).toBe(130);
  });

  test('SIGTERM leaves at once', async () => {
    const chatting = spawnKvasir(argv, { keepsInputOpen: true });
    chatting.process.stdin?.write('Count from 1 to 1000.\n');
    await chatting.said(/\w/);
    chatting.kill('SIGTERM');
    expect((await chatting.ended).code).toBe(143);
  });
});
