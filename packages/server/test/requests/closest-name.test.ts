import { expect, test } from 'vitest';
import { closestName } from '../../src/requests/closest-name.js';

const names = ['temperature', 'top_p', 'top_k', 'max_tokens', 'n'];

test.each([
  ['temprature', 'temperature'],
  ['TopP', 'top_p'],
  ['maxTokens', 'max_tokens'],
  ['max_token', 'max_tokens'],
  ['something_else', undefined],
  ['x', undefined],
  ['', undefined],
  ['t'.repeat(1000), undefined],
])('%s was meant to be %s', (name, closest) => {
  expect(closestName(name, names)).toBe(closest);
});
