import { fcParameters, StepBuilder } from '@kvasir/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KINDS, openSession, readResult, runsOf, withTables } from './support/sessions.js';

const tokens = fc.array(fc.nat({ max: 7 }), { minLength: 2, maxLength: 12 });

describe.each(KINDS)('outputs are not rows (%s)', (kind) => {
  it('has none in mid-prefill, and one a position for prompt log-probabilities, wherever the chunks end', async () => {
    await fc.assert(
      fc.asyncProperty(
        tokens,
        fc.uniqueArray(fc.integer({ min: 1, max: 11 }), { maxLength: 4 }),
        async (prompt, cuts) => {
          const score = async (borders: readonly number[]) => {
            await using opened = await openSession(kind);
            const found: unknown[] = [];
            const top: unknown[] = [];
            let start = 0;
            for (const [index, end] of [...borders, prompt.length].entries()) {
              const step = new StepBuilder(index + 1);
              if (index === 0) withTables(step.init({ slot: 0, history: prompt, maxLength: 20, ignoreEos: true }), 0);
              step.row(0, end - start);
              for (let i = start; i < Math.min(end, prompt.length - 1); i++) {
                step.output(i - start, { kind: 'logprob', targetId: prompt[i + 1]!, topK: 2 });
              }
              if (end === prompt.length) step.output(end - start - 1, { topK: 1 });
              const result = await opened.session.step(step.build());
              found.push(...readResult(result).outputs);
              top.push(...result.topIds, ...result.topLogprobs);
              start = end;
            }
            return { found, top: top.length };
          };
          const borders = cuts.filter((cut) => cut < prompt.length).sort((a, b) => a - b);
          const whole = await score([]);
          expect(await score(borders)).toEqual(whole);
          expect(whole.found).toHaveLength(prompt.length);
          expect(whole.top).toBe(2 * (2 * (prompt.length - 1) + 1));
        },
      ),
      fcParameters(runsOf(kind, 60)),
    );
  }, 60_000);

  it('a mid-prefill row has no output at all', async () => {
    await using opened = await openSession(kind);
    const step = withTables(new StepBuilder(1).init({ slot: 0, history: [1, 2, 3], maxLength: 9 }), 0).row(0, 2);
    const { outputs, rows } = readResult(await opened.session.step(step.build()));
    expect(outputs).toEqual([]);
    expect(rows).toEqual([{ skipped: false, numAccepted: 0, numComputed: 2, historyLength: 3 }]);
  });

  it('ranks alternatives by logit, then by id, and gives their natural logs', async () => {
    await using opened = await openSession(kind);
    const step = withTables(new StepBuilder(1).init({ slot: 0, history: [1, 2, 3], maxLength: 9, ignoreEos: true }), 0);
    step.row(0, 3);
    for (let targetId = 0; targetId < 8; targetId++) step.output(2, { kind: 'logprob', targetId, topK: 4 });
    const result = await opened.session.step(step.build());
    const { outputs } = readResult(result);
    const mass = outputs.reduce((sum, { logprob }) => sum + Math.exp(logprob), 0);
    expect(mass).toBeCloseTo(1, 5);
    const best = outputs
      .map(({ logprob, tokenId }) => ({ logprob, tokenId }))
      .sort((a, b) => b.logprob - a.logprob || a.tokenId - b.tokenId);
    expect([...result.topIds.slice(0, 4)]).toEqual(best.slice(0, 4).map(({ tokenId }) => tokenId));
    expect(outputs.map(({ rank, tokenId }) => best[rank - 1]?.tokenId === tokenId)).toEqual(new Array(8).fill(true));
  });
});
