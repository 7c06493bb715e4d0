import { describe, expect, test } from 'vitest';
import { createStyle } from '../../src/terminal/style.js';

describe('marks', () => {
  test('are escape codes on a terminal', () => {
    const style = createStyle({ isTTY: true }, {});
    expect(style.bold('a') + style.dim('b')).toBe('\u001b[1ma\u001b[0m\u001b[2mb\u001b[0m');
  });

  test.each([
    ['elsewhere', {}, {}],
    ['with NO_COLOR', { isTTY: true }, { NO_COLOR: '1' }],
    ['on a dumb terminal', { isTTY: true }, { TERM: 'dumb' }],
  ])('are none %s', (_, stream, environment) => {
    const style = createStyle(stream, environment);
    expect(style.bold('a') + style.dim('b')).toBe('ab');
  });

  test('are there with an empty NO_COLOR', () => {
    expect(createStyle({ isTTY: true }, { NO_COLOR: '' }).dim('a')).not.toBe('a');
  });
});
