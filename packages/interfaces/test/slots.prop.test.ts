import { END_REASON, KvasirError } from '@kvasir/interfaces';
import { fcParameters, StepBuilder } from '@kvasir/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  blocksOf,
  type ContractSession,
  EOS,
  KINDS,
  type Kind,
  openSession,
  readResult,
  runsOf,
  withTables,
} from './support/sessions.js';

const prompts = fc.array(fc.nat({ max: 7 }), { minLength: 1, maxLength: 6 });

/** Greedy tokens after `history`, from a slot started afresh: the obvious way to know them. */
async function continuation(kind: Kind, history: readonly number[], numTokens: number): Promise<number[]> {
  await using opened = await openSession(kind);
  const tokens: number[] = [];
  for (let stepId = 1; stepId <= numTokens; stepId++) {
    const step = new StepBuilder(stepId);
    const maxLength = history.length + numTokens + 1;
    if (stepId === 1) withTables(step.init({ slot: 0, history, maxLength, ignoreEos: true }), 0);
    step.sampleRow(0, stepId === 1 ? history.length : 1);
    tokens.push(readResult(await opened.session.step(step.build())).outputs[0]!.tokenId);
  }
  return tokens;
}

describe.each(KINDS)('slots (%s)', (kind) => {
  const numRuns = runsOf(kind, 60);

  it('a step may be submitted before the one before it is known, and says the same', async () => {
    await fc.assert(
      fc.asyncProperty(prompts, fc.integer({ min: 2, max: 8 }), async (prompt, numTokens) => {
        await using opened = await openSession(kind);
        const results: number[] = [];
        let previous: Promise<unknown> = Promise.resolve();
        for (let stepId = 1; stepId <= numTokens; stepId++) {
          const step = new StepBuilder(stepId);
          if (stepId === 1) withTables(step.init({ slot: 0, history: prompt, maxLength: 30, ignoreEos: true }), 0);
          const current = opened.session
            .step(step.sampleRow(0, stepId === 1 ? prompt.length : 1).build())
            .then((result) => results.push(readResult(result).outputs[0]!.tokenId));
          await previous;
          previous = current;
        }
        await previous;
        expect(results).toEqual(await continuation(kind, prompt, numTokens));
      }),
      fcParameters(numRuns),
    );
  }, 60_000);

  it('a row whose slot has ended does nothing and says so', async () => {
    await using opened = await openSession(kind);
    const { session } = opened;
    const first = withTables(new StepBuilder(1).init({ slot: 0, history: [2], maxLength: 2 }), 0);
    const ended = session.step(first.sampleRow(0, 1).build());
    const ahead = session.step(new StepBuilder(2).sampleRow(0, 1).build());
    expect(readResult(await ended).outputs[0]?.endReason).toBe(END_REASON.length);
    const { outputs, rows } = readResult(await ahead);
    expect(outputs[0]).toMatchObject({ tokenId: -1, endReason: END_REASON.none });
    expect(rows[0]).toEqual({ skipped: true, numAccepted: 0, numComputed: 1, historyLength: 2 });
  });

  it('EOS and stop ids end a slot, unless told otherwise, and not before minLength', async () => {
    await fc.assert(
      fc.asyncProperty(
        prompts,
        fc.bigInt({ min: 0n, max: 1000n }),
        fc.boolean(),
        fc.constantFrom<readonly number[]>([], [5]),
        fc.nat({ max: 9 }),
        async (prompt, seed, ignoreEos, stopIds, minLength) => {
          await using opened = await openSession(kind);
          const slot = { slot: 0, history: prompt, maxLength: 14, temperature: 3, seed, ignoreEos, stopIds, minLength };
          let length = prompt.length;
          for (let stepId = 1; ; stepId++) {
            const step = new StepBuilder(stepId);
            if (stepId === 1) withTables(step.init(slot), 0);
            step.sampleRow(0, stepId === 1 ? prompt.length : 1);
            const { tokenId, endReason } = readResult(await opened.session.step(step.build())).outputs[0]!;
            if (length < minLength) expect([EOS, ...stopIds]).not.toContain(tokenId);
            length++;
            const expected =
              tokenId === EOS && !ignoreEos
                ? END_REASON.eos
                : stopIds.includes(tokenId)
                  ? END_REASON.stopToken
                  : length === 14
                    ? END_REASON.length
                    : END_REASON.none;
            expect(endReason).toBe(expected);
            if (endReason !== END_REASON.none) break;
          }
        },
      ),
      fcParameters(numRuns),
    );
  }, 60_000);

  it('truncate takes a slot back to an earlier history', async () => {
    await fc.assert(
      fc.asyncProperty(prompts, fc.integer({ min: 1, max: 5 }), fc.nat({ max: 9 }), async (prompt, numTokens, cut) => {
        await using opened = await openSession(kind);
        const tokens: number[] = [];
        for (let stepId = 1; stepId <= numTokens; stepId++) {
          const step = new StepBuilder(stepId);
          if (stepId === 1) withTables(step.init({ slot: 0, history: prompt, maxLength: 30, ignoreEos: true }), 0);
          step.sampleRow(0, stepId === 1 ? prompt.length : 1);
          tokens.push(readResult(await opened.session.step(step.build())).outputs[0]!.tokenId);
        }
        const kept = [...prompt, ...tokens].slice(0, 1 + (cut % (prompt.length + numTokens)));
        const step = new StepBuilder(numTokens + 1).truncate(0, kept.length, kept.length - 1).sampleRow(0, 1);
        const { outputs } = readResult(await opened.session.step(step.build()));
        expect(outputs[0]?.tokenId).toBe((await continuation(kind, kept, 1))[0]);
      }),
      fcParameters(numRuns),
    );
  }, 60_000);

  it('forks share the prompt and go their own ways after copying the block that they write', async () => {
    await fc.assert(
      fc.asyncProperty(prompts, fc.bigInt({ min: 0n, max: 1000n }), async (prompt, seed) => {
        const together = await openSession(kind);
        const forked = await generateChoices(together, prompt, [seed, seed + 1n]);
        const alone = [];
        for (const each of [seed, seed + 1n]) {
          const opened = await openSession(kind);
          alone.push(...(await generateChoices(opened, prompt, [each])));
          await opened[Symbol.asyncDispose]();
        }
        await together[Symbol.asyncDispose]();
        expect(forked).toEqual(alone);
      }),
      fcParameters(numRuns),
    );
  }, 60_000);

  it.each<[string, (step: StepBuilder) => StepBuilder]>([
    ['a slot is started twice', (step) => step.init({ slot: 0, history: [1], maxLength: 9 })],
    ['an unused slot is released', (step) => step.release(3)],
    ['an unused slot is run', (step) => step.sampleRow(3, 1)],
    ['a slot is beyond the last', (step) => step.init({ slot: 4, history: [1], maxLength: 9 })],
    ['a slot has two rows', (step) => step.row(0, 1).row(0, 1)],
    ['a row passes its history', (step) => step.row(0, 2)],
    [
      'a table is too short',
      (step) =>
        step
          .init({ slot: 1, history: [1], maxLength: 9 })
          .table(1, 0, 0, [9])
          .row(1, 1),
    ],
    ['a block is beyond the pool', (step) => step.table(0, 0, 0, [128])],
    ['a token is beyond the vocabulary', (step) => step.init({ slot: 1, history: [8], maxLength: 9 })],
    ['a history is beyond the limit', (step) => step.init({ slot: 1, history: [1], maxLength: 257 })],
    ['too many alternatives are asked for', (step) => step.sampleRow(0, 1, [], { topK: 5 })],
    ['the sample is not at the end', (step) => step.truncate(0, 2, 0).row(0, 1).output(0)],
  ])('nothing has happened after a step in which %s', async (_, breakIt) => {
    await using opened = await openSession(kind);
    const { session } = opened;
    const first = withTables(new StepBuilder(1).init({ slot: 0, history: [2, 3], maxLength: 20, ignoreEos: true }), 0);
    const { tokenId } = readResult(await session.step(first.sampleRow(0, 2).build())).outputs[0]!;
    const failed = await session.step(breakIt(new StepBuilder(2)).build()).catch((error: unknown) => error);
    expect(KvasirError.isInstance(failed, 'ERR_INVALID_STEP'), String(failed)).toBe(true);
    const next = readResult(await session.step(new StepBuilder(3).sampleRow(0, 1).build())).outputs[0]!;
    expect([tokenId, next.tokenId]).toEqual(await continuation(kind, [2, 3], 2));
  });
});

/** Four sampled tokens of each choice; choices after the first are forks that copy the last block at their first write. */
async function generateChoices(
  { session, options }: ContractSession,
  prompt: readonly number[],
  seeds: readonly bigint[],
): Promise<number[][]> {
  const slot = { slot: 0, history: prompt, maxLength: 30, ignoreEos: true, temperature: 1 };
  const tokens: number[][] = seeds.map(() => []);
  const numShared = Math.floor(prompt.length / options.blockSize);
  for (let stepId = 1; stepId <= 4; stepId++) {
    const step = new StepBuilder(stepId);
    if (stepId === 1) {
      withTables(step.init({ ...slot, seed: seeds[0]! }), 0);
      for (let choice = 1; choice < seeds.length; choice++) step.fork(0, choice, choice, seeds[choice]!);
      step.row(0, prompt.length);
      for (let choice = 0; choice < seeds.length; choice++) step.output(prompt.length - 1, { slot: choice });
    } else {
      if (stepId === 2) {
        for (let choice = 1; choice < seeds.length; choice++) {
          for (const group of [0, 1]) {
            const own = blocksOf(choice, group);
            step.table(choice, group, 0, [...blocksOf(0, group).slice(0, numShared), ...own.slice(numShared)]);
            step.copy(group, blocksOf(0, group)[numShared]!, own[numShared]!);
          }
        }
      }
      for (let choice = 0; choice < seeds.length; choice++) step.sampleRow(choice, 1);
    }
    const { outputs } = readResult(await session.step(step.build()));
    for (const [choice, { tokenId }] of outputs.entries()) tokens[choice]!.push(tokenId);
  }
  return tokens;
}
