import type { BeamParams } from '@kvasir/interfaces';
import { EMPTY_PREFIX, expectReached, extendPrefix, fakeLogits, fcParameters } from '@kvasir/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EOS, joinChoices, request, startEngine } from '../support/harness.js';

const VOCAB = 7;

interface Found {
  readonly tokenIds: readonly number[];
  readonly cumulative: number;
  readonly hasEnded: boolean;
}

/** Log-probabilities of the fake model after `tokenIds`, rounded as a result holds them. */
function logprobsAfter(tokenIds: readonly number[]): number[] {
  const logits = [...fakeLogits(tokenIds.reduce(extendPrefix, EMPTY_PREFIX), VOCAB)];
  const max = Math.max(...logits);
  const logSum = max + Math.log(logits.reduce((sum, each) => sum + Math.exp(each - max), 0));
  return logits.map((each) => Math.fround(each - logSum));
}

/** The definition, without an engine: whole prefixes, no pruning, every candidate scored from scratch. */
function searchByDefinition(
  prompt: readonly number[],
  { width, lengthPenalty, earlyStopping }: BeamParams,
  options: { maxTokens: number; minTokens: number; ends: readonly number[]; n: number },
): (Found & { readonly score: number })[] {
  const score = ({ tokenIds, cumulative, hasEnded }: Found) =>
    cumulative / (prompt.length + tokenIds.length - (hasEnded ? 1 : 0)) ** lengthPenalty;
  let beams: Found[] = [{ tokenIds: [], cumulative: 0, hasEnded: false }];
  const completed: Found[] = [];
  let isEarly = false;
  for (let step = 0; step < options.maxTokens && !isEarly && beams.length > 0; step++) {
    const candidates: Found[] = [];
    for (const { tokenIds, cumulative } of beams) {
      const logprobs = logprobsAfter([...prompt, ...tokenIds]);
      const likeliest = logprobs.map((_, id) => id).sort((a, b) => logprobs[b]! - logprobs[a]! || a - b);
      for (const id of likeliest.slice(0, Math.max(2 * width, width + options.ends.length))) {
        const hasEnded = options.ends.includes(id);
        if (hasEnded && step < options.minTokens) continue;
        const found = { tokenIds: [...tokenIds, id], cumulative: cumulative + logprobs[id]!, hasEnded };
        (hasEnded ? completed : candidates).push(found);
      }
    }
    beams = candidates.sort((a, b) => b.cumulative - a.cumulative).slice(0, width);
    isEarly = earlyStopping && completed.length >= width;
  }
  return [...completed, ...(isEarly ? [] : beams)]
    .map((found) => ({ ...found, score: score(found) }))
    .sort((a, b) => b.score - a.score)
    .slice(0, options.n);
}

describe('beam search', () => {
  const reached = { ended: 0, running: 0, early: 0, preempted: 0, pruned: 0 };

  it('finds the beams of its definition, token for token, whatever the pool, the company and the steps in flight', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat({ max: VOCAB - 1 }), { minLength: 1, maxLength: 6 }),
        fc.record({
          width: fc.integer({ min: 1, max: 4 }),
          lengthPenalty: fc.constantFrom(0, 1, 1, 2, -1),
          earlyStopping: fc.boolean(),
        }),
        fc.record({
          n: fc.integer({ min: 1, max: 4 }),
          maxTokens: fc.integer({ min: 1, max: 7 }),
          minTokens: fc.constantFrom(0, 0, 2),
          ignoreEos: fc.boolean(),
          stopTokenIds: fc.constantFrom<number[]>([], [4]),
          logprobs: fc.constantFrom(undefined, 2),
          promptLogprobs: fc.constantFrom(undefined, undefined, 0),
        }),
        fc.record({
          maxNumSeqs: fc.integer({ min: 1, max: 5 }),
          blockSize: fc.constantFrom(1, 2, 4),
          maxInFlight: fc.constantFrom<1 | 2>(1, 2),
          enablePrefixCaching: fc.boolean(),
          spareBlocks: fc.oneof(fc.constant(0), fc.nat({ max: 40 })),
          windows: fc.constantFrom<readonly number[]>([], [], [3]),
          hasCompany: fc.boolean(),
        }),
        async (prompt, beam, { n: wanted, ...given }, { spareBlocks, hasCompany, ...options }) => {
          const n = Math.min(wanted, beam.width);
          const sampling = { ...given, minTokens: Math.min(given.minTokens, given.maxTokens), temperature: 1 };
          const { engine } = await startEngine({
            ...options,
            vocabSize: VOCAB,
            maxModelLen: 16,
            maxNumBatchedTokens: options.maxNumSeqs + 3,
            numBlocks: 1 + (1 + options.windows.length) * Math.ceil(16 / options.blockSize) + spareBlocks,
          });
          const company = hasCompany
            ? joinChoices(engine.submit(request([2, 3, 2], { maxTokens: 9, ignoreEos: true }, undefined, { n: 2 })), 2)
            : undefined;
          const beams = await joinChoices(engine.submit(request(prompt, sampling, undefined, { beam, n })), n);
          await company;
          engine.checkIntegrity();
          reached.preempted += engine.stats().numPreemptions > 0 ? 1 : 0;
          await engine.close();
          expect(engine.stats().numFreeBlocks).toBe(engine.stats().numBlocks);
          const ends = [...sampling.stopTokenIds, ...(sampling.ignoreEos ? [] : [EOS])];
          const expected = searchByDefinition(prompt, beam, { ...sampling, ends, n });
          expect(beams.map(({ tokenIds }) => tokenIds)).toEqual(expected.map(({ tokenIds }) => tokenIds));
          for (const [index, { last, logprobs }] of beams.entries()) {
            const found = expected[index]!;
            expect(last.score).toBeCloseTo(found.score, 5);
            expect(last.cumulativeLogprob).toBeCloseTo(found.cumulative, 5);
            expect(last.finishReason).toBe(found.hasEnded ? 'stop' : 'length');
            if (sampling.logprobs === undefined) expect(logprobs).toEqual([]);
            else expect(logprobs.reduce((sum, each) => sum + each, 0)).toBeCloseTo(found.cumulative, 5);
            reached.ended += found.hasEnded ? 1 : 0;
            reached.running += found.hasEnded ? 0 : 1;
          }
          reached.early += beam.earlyStopping && expected.every(({ hasEnded }) => hasEnded) ? 1 : 0;
          const tokens = beams.reduce((sum, { tokenIds }) => sum + tokenIds.length, 0);
          expect(beams[0]!.last.usage).toMatchObject({ promptTokens: prompt.length, completionTokens: tokens });
          const numScored = beams[0]!.promptLogprobs?.length;
          expect(numScored).toBe(sampling.promptLogprobs === undefined ? undefined : prompt.length);
        },
      ),
      fcParameters(200),
    );
    expectReached(reached, { ended: 0.3, running: 0.3, early: 0.1, preempted: 0.01 }, 200);
  }, 60_000);

  it('computes a token a beam and step: what beams share is shared', async () => {
    const numTokens: number[] = [];
    const { engine } = await startEngine({
      vocabSize: VOCAB,
      blockSize: 4,
      maxNumBatchedTokens: 64,
      onStep: ({ rows }) => numTokens.push(rows.reduce((sum, { tokens }) => sum + tokens.length, 0)),
    });
    const prompt = Array.from({ length: 30 }, (_, i) => i % VOCAB);
    const beam = { width: 4, lengthPenalty: 1, earlyStopping: false };
    await joinChoices(engine.submit(request(prompt, { maxTokens: 20, ignoreEos: true }, undefined, { beam, n: 4 })), 4);
    expect(numTokens).toEqual([30, ...new Array(19).fill(4)]);
    await engine.close();
  });

  it('ends with its request, at abort and at a failed step, and keeps nothing', async () => {
    const beam = { width: 3, lengthPenalty: 1, earlyStopping: false };
    const { engine } = await startEngine({ vocabSize: VOCAB, maxNumSeqs: 2, fails: (stepId) => stepId === 8 });
    const run = (id: string) =>
      joinChoices(engine.submit(request([2, 3], { maxTokens: 30, ignoreEos: true }, id, { beam, n: 3 })), 3);
    const aborted = run('a');
    while (engine.stats().numSteps < 4) await new Promise((resolve) => setImmediate(resolve));
    expect(engine.abort('a')).toBe(true);
    expect((await aborted).map(({ last }) => last.finishReason)).toEqual(['abort', 'abort', 'abort']);
    await expect(run('b')).rejects.toMatchObject({ code: 'ERR_STEP_FAILED' });
    await engine.close();
    engine.checkIntegrity();
  });

  it.each([
    ['beam.width', { beam: { width: 0, lengthPenalty: 1, earlyStopping: false } }, {}],
    ['beam.width', { n: 3, beam: { width: 2, lengthPenalty: 1, earlyStopping: false } }, {}],
    ['beam.width', { beam: { width: 5, lengthPenalty: 1, earlyStopping: false } }, {}],
    ['beam.lengthPenalty', { beam: { width: 2, lengthPenalty: Number.NaN, earlyStopping: false } }, {}],
    ['stop', { beam: { width: 2, lengthPenalty: 1, earlyStopping: false } }, { stop: ['x'] }],
    ['topP', { beam: { width: 2, lengthPenalty: 1, earlyStopping: false } }, { topP: 0.5 }],
    ['presencePenalty', { beam: { width: 2, lengthPenalty: 1, earlyStopping: false } }, { presencePenalty: 1 }],
  ])('is refused by name when %s cannot be', async (parameter, extras, sampling) => {
    const { engine } = await startEngine();
    expect(() => engine.submit(request([1], sampling, undefined, extras))).toThrow(
      expect.objectContaining({ parameter }),
    );
    await engine.close();
  });
});
