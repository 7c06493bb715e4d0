import { RESULT_WORDS, type StepResult } from '@kvasir/interfaces';
import { fcParameters, StepBuilder, tinyModelSpec } from '@kvasir/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openTiny, type TinySession } from './support/tiny-session.js';

/** Log-probability of each next prompt token, computed in the given pieces. */
async function score(tiny: TinySession, tokens: readonly number[], pieces: readonly number[]): Promise<number[]> {
  const numGroups = tiny.options.programs[0]!.kvGroups.length;
  const logprobs: number[] = [];
  let start = 0;
  for (const [index, end] of pieces.entries()) {
    const step = new StepBuilder(index + 1);
    if (index === 0) {
      step.init({ slot: 0, history: tokens, maxLength: tokens.length + 1 });
      for (let group = 0; group < numGroups; group++) {
        step.table(
          0,
          group,
          0,
          Array.from({ length: 8 }, (_, i) => 1 + 8 * group + i),
        );
      }
    }
    step.row(0, end - start);
    for (let i = start; i < end; i++) {
      step.output(i - start, { kind: 'logprob', targetId: tokens[i + 1] ?? 0, topK: 0 });
    }
    logprobs.push(...readLogprobs(await tiny.session.step(step.build())));
    start = end;
  }
  return logprobs;
}

function readLogprobs({ outputs }: StepResult): number[] {
  const floats = new Float32Array(outputs.buffer, outputs.byteOffset, outputs.length);
  return Array.from({ length: outputs.length / RESULT_WORDS }, (_, i) => floats[i * RESULT_WORDS + 1]!);
}

describe('against the reference in double precision', () => {
  // 24-bit sums over at most 96 terms a layer; the exact worst case of these sizes stays below 1e-4.
  it('float32 mode agrees to rounding on any tiny model', async () => {
    await fc.assert(
      fc.asyncProperty(
        tinyModelSpec(),
        fc.array(fc.nat({ max: 1000 }), { minLength: 2, maxLength: 100 }),
        fc.uniqueArray(fc.integer({ min: 1, max: 99 }), { maxLength: 3 }),
        async (spec, numbers, cuts) => {
          const tokens = numbers.map((number) => number % spec.vocabSize);
          const borders = cuts.filter((cut) => cut < tokens.length).sort((a, b) => a - b);
          await using native = await openTiny(spec, { mode: 'float32' });
          await using reference = await openTiny(spec, { backend: 'reference', mode: 'float32' });
          const ours = await score(native, tokens, [...borders, tokens.length]);
          const theirs = await score(reference, tokens, [tokens.length]);
          const worst = Math.max(...ours.map((value, i) => Math.abs(value - theirs[i]!)));
          expect(worst).toBeLessThan(5e-4);
        },
      ),
      fcParameters(25),
    );
  }, 120_000);

  // A number on the border of two codes may fall to either side: one code is a 127th of the largest of its head.
  it('float32 mode over int8 KV stays close to the same codes in double precision', async () => {
    let total = 0;
    let count = 0;
    await fc.assert(
      fc.asyncProperty(
        tinyModelSpec(),
        fc.array(fc.nat({ max: 1000 }), { minLength: 2, maxLength: 100 }),
        async (spec, numbers) => {
          const tokens = numbers.map((number) => number % spec.vocabSize);
          const choice = { mode: 'float32', options: { kvCacheDtype: 'int8' } } as const;
          await using native = await openTiny(spec, choice);
          await using reference = await openTiny(spec, { ...choice, backend: 'reference' });
          const ours = await score(native, tokens, [tokens.length]);
          const theirs = await score(reference, tokens, [tokens.length]);
          for (const [i, value] of ours.entries()) {
            expect(Math.abs(value - theirs[i]!)).toBeLessThan(0.05);
            total += Math.abs(value - theirs[i]!);
            count++;
          }
        },
      ),
      fcParameters(25),
    );
    expect(total / count).toBeLessThan(5e-4);
  }, 120_000);

  // int8 activations are good to about 1/127 of a group's largest; a distribution over a few dozen random tokens moves little.
  it('auto mode stays close', async () => {
    let total = 0;
    let count = 0;
    await fc.assert(
      fc.asyncProperty(
        tinyModelSpec({ softcap: undefined }),
        fc.array(fc.nat({ max: 1000 }), { minLength: 20, maxLength: 60 }),
        async (spec, numbers) => {
          const tokens = numbers.map((number) => number % spec.vocabSize);
          await using native = await openTiny(spec);
          await using reference = await openTiny(spec, { backend: 'reference' });
          const ours = await score(native, tokens, [tokens.length]);
          const theirs = await score(reference, tokens, [tokens.length]);
          for (const [i, value] of ours.entries()) {
            total += Math.abs(value - theirs[i]!);
            count++;
          }
        },
      ),
      fcParameters(15),
    );
    expect(total / count).toBeLessThan(0.05);
  }, 120_000);
});
