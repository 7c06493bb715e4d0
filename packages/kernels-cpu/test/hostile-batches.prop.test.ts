import { KvasirError, type StepBatch } from '@kvasir/interfaces';
import { fcParameters, StepBuilder } from '@kvasir/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openTiny, PLAIN_SPEC, type TinySession } from './support/tiny-session.js';

const NUM_TABLE = 8;

/** A step that uses every section: a start, a fork, tables, a copy, a prefill row, a decode row with drafts, outputs of each kind. */
function busyStep(stepId: number, running: number, starting: number, forked: number): StepBuilder {
  const blocks = (slot: number, group: number) =>
    Array.from({ length: NUM_TABLE }, (_, i) => 1 + (2 * slot + group) * NUM_TABLE + i);
  const step = new StepBuilder(stepId);
  step.init({
    slot: starting,
    history: [2, 3, 4, 5],
    maxLength: 100,
    stopIds: [6],
    temperature: 1,
    topP: 0.9,
    topK: 5,
    seed: 9n,
    minP: 0.01,
    typicalP: 0.9,
    repetitionPenalty: 1.2,
    presencePenalty: 0.5,
    frequencyPenalty: 0.1,
    logitBias: new Map([[9, 1.5]]),
    allowedTokenIds: Array.from({ length: 40 }, (_, id) => id),
    badWords: [[11], [3, 4, 12]],
  });
  step.fork(starting, forked, 1, 10n);
  for (const slot of [starting, forked]) step.table(slot, 0, 0, blocks(slot, 0)).table(slot, 1, 0, blocks(slot, 1));
  step.copy(0, blocks(starting, 0)[0]!, blocks(forked, 0)[0]!);
  step.row(running, 3, [7, 8]).output(2, { topK: 2 }).output(3).output(4);
  step.row(starting, 4).output(1, { kind: 'logprob', targetId: 4, topK: 3 }).output(3).output(3, { slot: forked });
  return step;
}

async function start({ session }: TinySession): Promise<void> {
  const step = new StepBuilder(1).init({ slot: 0, history: [2, 3, 4], maxLength: 100, ignoreEos: true });
  await session.step(step.table(0, 0, 0, [1, 2, 3, 4]).table(0, 1, 0, [9, 10, 11, 12]).build());
}

const interestingWord = fc.oneof(
  fc.constantFrom(-1, 0, 1, 2, 15, 16, 17, 255, 600, 0x7fffffff, -0x80000000, 0x40000000, 0x7fc00000),
  fc.integer(),
);

describe('a batch of arbitrary words', () => {
  it('is run or refused with ERR_INVALID_STEP or ERR_UNSUPPORTED, and a refused one leaves no trace', async () => {
    await using plain = await openTiny(PLAIN_SPEC);
    await start(plain);
    const expected = Array.from((await plain.session.step(busyStep(2, 0, 1, 2).build())).outputs);
    let numRun = 0;
    let numRefused = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(), interestingWord), { maxLength: 3 }),
        // Few are cut: the length alone refuses those.
        fc.oneof({ weight: 6, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: fc.nat() }),
        async (changes, cut) => {
          await using tiny = await openTiny(PLAIN_SPEC);
          await start(tiny);
          const batch = damage(busyStep(2, 0, 1, 2).build(), changes, cut);
          const outcome = await tiny.session.step(batch).catch((error: unknown) => error);
          if (!(outcome instanceof Error)) {
            numRun++;
            return;
          }
          numRefused++;
          const known = ['ERR_INVALID_STEP', 'ERR_UNSUPPORTED'].some((code) => KvasirError.isInstance(outcome, code));
          expect(known, String(outcome)).toBe(true);
          const after = await tiny.session.step(busyStep(2, 0, 1, 2).build());
          expect(Array.from(after.outputs)).toEqual(expected);
        },
      ),
      fcParameters(100),
    );
    // The generator still reaches both sides.
    expect(numRefused).toBeGreaterThan(numRun / 10);
    expect(numRun).toBeGreaterThan(0);
  }, 120_000);
});

function damage(batch: StepBatch, changes: readonly (readonly [number, number])[], cut: number | undefined): StepBatch {
  const words = Int32Array.from(batch.words);
  for (const [at, word] of changes) words[at % words.length] = word;
  return { words, numWords: cut === undefined ? batch.numWords : cut % (words.length + 1) };
}
