import { fcParameters } from '@kvasir/testing';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseJsonBody } from '../../src/http/json-body.js';

const encode = (text: string) => new TextEncoder().encode(text);

function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depthOf));
}

test('what is JSON parses to what JSON.parse says, if it is not too deep', () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 6 }), fc.integer({ min: 1, max: 6 }), (text, maxDepth) => {
      const expected = JSON.parse(text) as unknown;
      if (depthOf(expected) <= maxDepth) expect(parseJsonBody(encode(text), maxDepth)).toEqual(expected);
      else expect(() => parseJsonBody(encode(text), maxDepth)).toThrow(`nests deeper than ${maxDepth} levels`);
    }),
    fcParameters(300),
  );
});

describe('nesting', () => {
  test('inside strings does not count', () => {
    expect(parseJsonBody(encode('"[[[[\\"[[[["'), 1)).toBe('[[[["[[[[');
    expect(parseJsonBody(encode('["\\\\", [1]]'), 2)).toEqual(['\\', [1]]);
  });

  test('siblings do not add up', () => {
    expect(parseJsonBody(encode('[[],[],[]]'), 2)).toEqual([[], [], []]);
  });
});
