import { expect, test } from 'vitest';
import { ProgressBar } from '../src/terminal/progress-bar.js';

function stream(isTTY: boolean) {
  const written: string[] = [];
  return { isTTY, columns: 100, written, write: (text: string) => written.push(text) };
}

test('on a terminal the line is redrawn, and its end is always shown', () => {
  let now = 0;
  const out = stream(true);
  const bar = new ProgressBar('model', out, () => now);
  for (let done = 0; done <= 100; done += 10) {
    bar.update(done * 2 ** 20, 100 * 2 ** 20);
    now += 50;
  }
  bar.close();
  expect(out.written.length).toBeLessThan(11);
  expect(out.written.at(-2)).toContain('100%');
  expect(out.written.at(-1)).toBe('\n');
});

test('elsewhere there is one line every tenth', () => {
  const out = stream(false);
  const bar = new ProgressBar('model', out, () => 0);
  for (let done = 0; done <= 1000; done++) bar.update(done, 1000);
  bar.close();
  expect(out.written).toHaveLength(11);
  expect(out.written.every((line) => line.endsWith('\n'))).toBe(true);
});

test('an unknown total shows bytes only', () => {
  const out = stream(true);
  new ProgressBar('model', out, () => 0).update(3 * 2 ** 20, undefined);
  expect(out.written[0]).toContain('3.0 MiB');
  expect(out.written[0]).not.toContain('%');
});
