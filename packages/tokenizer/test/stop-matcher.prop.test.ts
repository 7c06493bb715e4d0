import { fcParameters } from '@kvasir/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StopMatcher } from '../src/stop-matcher.js';

const letter = fc.constantFrom('a', 'b', 'c');
const stops = fc.array(fc.string({ unit: letter, minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 4 });
const pieces = fc.array(fc.string({ unit: letter, maxLength: 4 }), { maxLength: 12 });

/** The first end of any stop string by plain search, the longest where several end together. */
function search(text: string, candidates: readonly string[]): { end: number; stop: string } | undefined {
  let best: { end: number; stop: string } | undefined;
  for (const stop of candidates) {
    const at = text.indexOf(stop);
    const end = at + stop.length;
    if (at < 0 || (best !== undefined && (end > best.end || (end === best.end && stop.length < best.stop.length))))
      continue;
    best = { end, stop };
  }
  return best;
}

describe('StopMatcher against plain search', () => {
  it('shows the same text and stop string however the text is cut, and holds back no more than it must', () => {
    let numStopped = 0;
    let numCases = 0;
    fc.assert(
      fc.property(stops, pieces, fc.boolean(), (candidates, parts, includeStop) => {
        const matcher = new StopMatcher(candidates, { includeStop });
        const whole = parts.join('');
        const expected = search(whole, candidates);
        let seen = '';
        let shown = '';
        let stop: string | undefined;
        for (const part of parts) {
          const match = matcher.push(part);
          matcher.checkIntegrity();
          shown += match.text;
          seen += part;
          stop = match.stop;
          if (stop !== undefined) break;
          const held = seen.slice(shown.length);
          expect(shown + held).toBe(seen);
          expect(held.length).toBeLessThanOrEqual(matcher.maxHeld);
          if (held !== '') expect(candidates.some((candidate) => candidate.startsWith(held))).toBe(true);
        }
        numCases++;
        expect(stop).toBe(expected?.stop);
        if (expected === undefined) expect(shown + matcher.flush()).toBe(whole);
        else {
          numStopped++;
          expect(shown).toBe(whole.slice(0, expected.end - (includeStop ? 0 : expected.stop.length)));
          expect(matcher.flush()).toBe('');
        }
      }),
      fcParameters(1000),
    );
    expect(numStopped).toBeGreaterThan(numCases / 10);
    expect(numCases - numStopped).toBeGreaterThan(numCases / 20);
  });
});
