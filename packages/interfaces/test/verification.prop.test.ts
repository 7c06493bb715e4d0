import { fcParameters, type SamplingExtras, StepBuilder, samplingExtras } from '@kvasir/testing';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import {
  type ContractSession,
  goesOn,
  KINDS,
  openSession,
  readResult,
  runsOf,
  withTables,
} from './support/sessions.js';

interface Sampling extends SamplingExtras {
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
  readonly seed: bigint;
  readonly minLength: number;
  readonly stopIds: readonly number[];
}

interface Generated {
  readonly tokens: number[];
  readonly logprobs: number[];
  readonly endReason: number;
  readonly numSteps: number;
  readonly numAccepted: number;
}

/** Proposes drafts for the tokens after `history`. */
type Propose = (history: readonly number[], step: number) => readonly number[];

const reached = { accepted: 0, rejected: 0 };

async function generate(
  { session }: ContractSession,
  prompt: readonly number[],
  maxLength: number,
  sampling: Sampling,
  propose: Propose,
): Promise<Generated> {
  const history = [...prompt];
  const logprobs: number[] = [];
  let numAccepted = 0;
  let endReason = 0;
  let stepId = 0;
  while (endReason === 0) {
    const step = new StepBuilder(++stepId);
    if (stepId === 1) withTables(step.init({ slot: 0, history: prompt, maxLength, ...sampling }), 0);
    const room = maxLength - history.length - 1;
    const drafts = propose(history, stepId).slice(0, Math.max(0, room));
    step.sampleRow(0, stepId === 1 ? prompt.length : 1, drafts, { topK: 0 });
    const { outputs, rows } = readResult(await session.step(step.build()));
    const valid = outputs.filter(({ tokenId }) => tokenId >= 0);
    history.push(...valid.map(({ tokenId }) => tokenId));
    logprobs.push(...valid.map(({ logprob }) => logprob));
    expect(rows[0]?.historyLength).toBe(history.length);
    expect(valid.map(({ tokenId }) => tokenId).slice(0, rows[0]?.numAccepted)).toEqual(
      drafts.slice(0, rows[0]?.numAccepted),
    );
    numAccepted += rows[0]?.numAccepted ?? 0;
    reached.rejected += drafts.length - (rows[0]?.numAccepted ?? 0);
    if (!goesOn(valid)) endReason = valid.at(-1)?.endReason ?? -1;
  }
  await session.step(new StepBuilder(stepId + 1).release(0).build());
  reached.accepted += numAccepted;
  return { tokens: history.slice(prompt.length), logprobs, endReason, numSteps: stepId, numAccepted };
}

describe.each(KINDS)('verification by position-keyed noise (%s)', (kind) => {
  afterAll(() => {
    if (process.env['FC_PATH'] !== undefined) return;
    expect(reached.accepted).toBeGreaterThan(20);
    expect(reached.rejected).toBeGreaterThan(20);
  });

  it('drafts change no token and no bit of a log-probability, whatever the drafter', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat({ max: 7 }), { minLength: 1, maxLength: 6 }),
        fc.integer({ min: 1, max: 14 }),
        fc.record({
          temperature: fc.constantFrom(0, 0.7, 1.5),
          topK: fc.constantFrom(0, 2, 3),
          topP: fc.constantFrom(1, 0.6),
          seed: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
          minLength: fc.nat({ max: 10 }),
          stopIds: fc.constantFrom([], [2], [3, 4]),
          extras: samplingExtras(8),
        }),
        fc.array(fc.record({ numRight: fc.nat({ max: 3 }), wrong: fc.array(fc.nat({ max: 7 }), { maxLength: 2 }) }), {
          minLength: 1,
          maxLength: 5,
        }),
        async (prompt, maxTokens, { extras, ...rest }, advice) => {
          const sampling: Sampling = { ...rest, ...extras };
          const maxLength = prompt.length + maxTokens;
          const bounded = { ...sampling, minLength: Math.min(sampling.minLength, maxLength) };
          await using plain = await openSession(kind);
          const off = await generate(plain, prompt, maxLength, bounded, () => []);
          const all = [...prompt, ...off.tokens];
          await using drafted = await openSession(kind);
          const on = await generate(drafted, prompt, maxLength, bounded, (history, step) => {
            const { numRight, wrong } = advice[step % advice.length]!;
            return [...all.slice(history.length, history.length + numRight), ...wrong];
          });
          expect(on.tokens).toEqual(off.tokens);
          expect(on.logprobs).toEqual(off.logprobs);
          expect(on.endReason).toBe(off.endReason);
          expect(on.numSteps).toBeLessThanOrEqual(off.numSteps);
        },
      ),
      fcParameters(runsOf(kind, 100)),
    );
  }, 60_000);
});
