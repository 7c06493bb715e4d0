import { choiceSeed } from '@kvasir/interfaces';
import { fcParameters, type InitOp, type SamplingExtras, StepBuilder, samplingExtras } from '@kvasir/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type ContractSession,
  KINDS,
  type Kind,
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
}

const MAX_LENGTH = 30;
const prompts = fc.array(fc.nat({ max: 7 }), { minLength: 1, maxLength: 6 });

const samplings: fc.Arbitrary<Sampling> = fc
  .tuple(
    fc.record({
      temperature: fc.constantFrom(0, 1, 2),
      topK: fc.constantFrom(0, 0, 4),
      topP: fc.constantFrom(1, 1, 0.7),
      seed: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
      minLength: fc.nat({ max: 12 }),
    }),
    samplingExtras(8),
  )
  .map(([base, extras]) => ({ ...base, ...extras }));

const initOf = (sampling: Sampling, history: readonly number[], promptLength: number): InitOp => ({
  ...sampling,
  slot: 0,
  history,
  promptLength,
  maxLength: MAX_LENGTH,
  ignoreEos: true,
});

/** Tokens after `history`, from a slot started afresh. */
async function continuation(kind: Kind, init: InitOp, numTokens: number): Promise<number[]> {
  await using opened = await openSession(kind);
  const step = withTables(new StepBuilder(1).init(init), 0).sampleRow(0, init.history.length);
  const tokens = [await onlyToken(opened, step)];
  while (tokens.length < numTokens) {
    tokens.push(await onlyToken(opened, new StepBuilder(tokens.length + 1).sampleRow(0, 1)));
  }
  return tokens;
}

async function onlyToken({ session }: ContractSession, step: StepBuilder): Promise<number> {
  return readResult(await session.step(step.build())).outputs[0]!.tokenId;
}

describe.each(KINDS)('what a slot has said decides how it goes on, not how it came there (%s)', (kind) => {
  it('after a start with the output so far, as after a preemption', async () => {
    await fc.assert(
      fc.asyncProperty(prompts, samplings, fc.integer({ min: 1, max: 8 }), async (prompt, sampling, cut) => {
        const whole = await continuation(kind, initOf(sampling, prompt, prompt.length), 9);
        const history = [...prompt, ...whole.slice(0, cut)];
        const rest = await continuation(kind, initOf(sampling, history, prompt.length), 9 - cut);
        expect(rest).toEqual(whole.slice(cut));
      }),
      fcParameters(runsOf(kind, 60)),
    );
  }, 60_000);

  it('after a truncation, into the prompt too: what follows is output then', async () => {
    await fc.assert(
      fc.asyncProperty(prompts, samplings, fc.nat({ max: 9 }), async (prompt, sampling, cut) => {
        await using opened = await openSession(kind);
        const start = withTables(new StepBuilder(1).init(initOf(sampling, prompt, prompt.length)), 0);
        const history = [...prompt, await onlyToken(opened, start.sampleRow(0, prompt.length))];
        for (let stepId = 2; stepId < 6; stepId++) {
          history.push(await onlyToken(opened, new StepBuilder(stepId).sampleRow(0, 1)));
        }
        const kept = history.slice(0, 1 + (cut % history.length));
        const promptLength = Math.min(prompt.length, kept.length);
        const expected = await continuation(kind, initOf(sampling, kept, promptLength), 3);
        const again = new StepBuilder(6).truncate(0, kept.length, kept.length - 1).sampleRow(0, 1);
        const tokens = [await onlyToken(opened, again)];
        for (let stepId = 7; stepId < 9; stepId++) {
          tokens.push(await onlyToken(opened, new StepBuilder(stepId).sampleRow(0, 1)));
        }
        expect(tokens).toEqual(expected);
      }),
      fcParameters(runsOf(kind, 60)),
    );
  }, 60_000);

  it('choice i of a seed says the same, however many choices there are', async () => {
    await fc.assert(
      fc.asyncProperty(prompts, samplings, fc.integer({ min: 1, max: 3 }), async (prompt, sampling, numChoices) => {
        const seeds = Array.from({ length: numChoices }, (_, i) => choiceSeed(sampling.seed, i));
        await using opened = await openSession(kind);
        const step = withTables(new StepBuilder(1).init(initOf(sampling, prompt, prompt.length)), 0);
        for (let i = 1; i < numChoices; i++) withTables(step.fork(0, i, i, seeds[i]!), i);
        step.row(0, prompt.length);
        for (let i = 0; i < numChoices; i++) step.output(prompt.length - 1, { slot: i });
        const choices = readResult(await opened.session.step(step.build())).outputs.map(({ tokenId }) => [tokenId]);
        // The forks compute the prompt into tables of their own.
        for (let i = 1; i < numChoices; i++) {
          const rewind = new StepBuilder(1 + i).truncate(i, prompt.length + 1, 0).row(i, prompt.length);
          await opened.session.step(rewind.build());
        }
        for (let n = 1; n < 5; n++) {
          const next = new StepBuilder(numChoices + n);
          for (let i = 0; i < numChoices; i++) next.sampleRow(i, 1);
          const { outputs } = readResult(await opened.session.step(next.build()));
          for (const [i, { tokenId }] of outputs.entries()) choices[i]!.push(tokenId);
        }
        for (const [i, seed] of seeds.entries()) {
          const alone = await continuation(kind, initOf({ ...sampling, seed }, prompt, prompt.length), 5);
          expect(choices[i]).toEqual(alone);
        }
      }),
      fcParameters(runsOf(kind, 40)),
    );
  }, 60_000);

  it.each<[string, Partial<InitOp>]>([
    ['min-p above 1', { minP: 1.5 }],
    ['typical-p of 0', { typicalP: 0 }],
    ['a repetition penalty of 0', { repetitionPenalty: 0 }],
    ['a presence penalty that is no number', { presencePenalty: Number.NaN }],
    ['an endless frequency penalty', { frequencyPenalty: Number.POSITIVE_INFINITY }],
    ['an endless bias', { logitBias: new Map([[1, Number.NEGATIVE_INFINITY]]) }],
    ['a bias beyond the vocabulary', { logitBias: new Map([[8, 1]]) }],
    ['an allowed token beyond the vocabulary', { allowedTokenIds: [8] }],
    ['a bad word beyond the vocabulary', { badWords: [[1, 8]] }],
    ['an empty bad word', { badWords: [[], [1]] }],
  ])('a start with %s is refused', async (_, part) => {
    await using opened = await openSession(kind);
    const step = new StepBuilder(1).init({ slot: 0, history: [1], maxLength: 9, ...part });
    await expect(opened.session.step(step.build())).rejects.toMatchObject({ code: 'ERR_INVALID_STEP' });
  });
});

describe('the native session and the reference', () => {
  it('draw the same tokens, whatever the parameters', async () => {
    let numSame = 0;
    let numTokens = 0;
    await fc.assert(
      fc.asyncProperty(prompts, samplings, async (prompt, sampling) => {
        const init = initOf(sampling, prompt, prompt.length);
        const [native, reference] = await Promise.all([
          continuation('cpu', init, 12),
          continuation('reference', init, 12),
        ]);
        // Where two tokens nearly tie, float32 may decide otherwise; what follows then is another text.
        const differs = native.findIndex((token, i) => token !== reference[i]);
        numSame += differs < 0 ? 12 : differs;
        numTokens += differs < 0 ? 12 : differs + 1;
      }),
      fcParameters(150),
    );
    expect(numTokens).toBeGreaterThan(100);
    expect(numTokens - numSame).toBeLessThanOrEqual(Math.ceil(numTokens / 500));
  }, 60_000);
});
