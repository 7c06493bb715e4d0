import { createFakeTokenizer, fcParameters } from '@kvasir/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SequenceText } from '../src/sequence-text.js';

const tokenizer = createFakeTokenizer(8);
const ids = fc.array(fc.nat({ max: 7 }), { maxLength: 20 });
/** Tokens 0 to 7 are a to f, g' and h. */
const stops = fc.array(fc.stringMatching(/^[abg']{1,3}$/), { maxLength: 3 });

function run(
  tokenIds: readonly number[],
  stop: readonly string[],
  minTokens: number,
): { text: string; stop: string | undefined } {
  const text = new SequenceText(tokenizer, { stop, minTokens });
  let shown = '';
  for (const id of tokenIds) {
    shown += text.push(id);
    if (text.stop !== undefined) break;
  }
  return { text: shown + text.flush(), stop: text.stop };
}

describe('text of a sequence', () => {
  it('ends before the stop string that is complete first, and is everything without one', () => {
    let numStopped = 0;
    fc.assert(
      fc.property(ids, stops, (tokenIds, stop) => {
        const all = tokenizer.decode(tokenIds);
        const ends = stop
          .map((each) => ({ each, end: all.indexOf(each) + each.length }))
          .filter(({ each }) => all.includes(each));
        const first = ends.sort((a, b) => a.end - b.end || b.each.length - a.each.length)[0];
        numStopped += first === undefined ? 0 : 1;
        expect(run(tokenIds, stop, 0)).toEqual(
          first === undefined
            ? { text: all, stop: undefined }
            : { text: all.slice(0, first.end - first.each.length), stop: first.each },
        );
      }),
      fcParameters(300),
    );
    if (process.env['FC_PATH'] === undefined) expect(numStopped).toBeGreaterThan(30);
  });

  it('never has its first minTokens tokens searched', () => {
    fc.assert(
      fc.property(ids, stops, fc.nat({ max: 6 }), (tokenIds, stop, minTokens) => {
        const head = tokenizer.decode(tokenIds.slice(0, minTokens));
        const rest = run(tokenIds.slice(minTokens), stop, 0);
        expect(run(tokenIds, stop, minTokens)).toEqual({ ...rest, text: head + rest.text });
      }),
      fcParameters(200),
    );
  });
});
