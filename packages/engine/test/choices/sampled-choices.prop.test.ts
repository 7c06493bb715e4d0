import { setImmediate as turn } from 'node:timers/promises';
import { choiceSeed } from '@kvasir/interfaces';
import { expectReached, fcParameters, tinyRequest } from '@kvasir/testing';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { collect, type Joined, join, joinChoices, request, startEngine } from '../support/harness.js';

const bounds = { vocabSize: 8, maxPrompt: 10, maxTokens: 8 };
const reached = { preemptions: 0, severalChoices: 0, differentChoices: 0, early: 0 };

/** What a choice must share with a request of its own: everything but the request's usage. */
function essence({ text, tokenIds, logprobs, last }: Joined): unknown {
  return { text, tokenIds, logprobs, finishReason: last.finishReason, stopReason: last.stopReason };
}

afterAll(() => {
  expectReached(reached, { preemptions: 0.02, severalChoices: 0.4, differentChoices: 0.1, early: 0.03 }, 120);
});

describe('n choices', () => {
  const shape = fc.record({
    maxNumSeqs: fc.integer({ min: 1, max: 5 }),
    extraTokens: fc.nat({ max: 6 }),
    blockSize: fc.constantFrom(1, 2, 4),
    spareBlocks: fc.oneof(fc.constant(0), fc.nat({ max: 20 })),
    maxInFlight: fc.constantFrom<1 | 2>(1, 2),
    enablePrefixCaching: fc.boolean(),
    windows: fc.constantFrom<readonly number[]>([], [], [3]),
  });

  it('are n requests with the seeds of the choices, whatever the company, the pool and the steps in flight', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(tinyRequest(bounds), fc.integer({ min: 1, max: 4 })), { minLength: 1, maxLength: 3 }),
        shape,
        async (tiny, { extraTokens, spareBlocks, ...options }) => {
          const needed = (1 + options.windows.length) * Math.ceil(18 / options.blockSize);
          const { engine } = await startEngine({
            ...options,
            vocabSize: bounds.vocabSize,
            maxModelLen: 20,
            maxNumBatchedTokens: options.maxNumSeqs + extraTokens,
            numBlocks: 1 + needed + spareBlocks,
          });
          const together = await Promise.all(
            tiny.map(async ([{ prompt, ...sampling }, n]) => {
              const deltas = await joinChoices(engine.submit(request(prompt, sampling, undefined, { n })), n);
              return deltas;
            }),
          );
          engine.checkIntegrity();
          reached.preemptions += engine.stats().numPreemptions;
          await engine.close();
          expect(engine.stats().numFreeBlocks).toBe(engine.stats().numBlocks);
          const quiet = await startEngine({ vocabSize: bounds.vocabSize, maxModelLen: 20, enablePrefixCaching: false });
          for (const [index, [{ prompt, ...sampling }, n]] of tiny.entries()) {
            const choices = together[index]!;
            for (let i = 0; i < n; i++) {
              const seed = choiceSeed(sampling.seed, i);
              const own = await join(quiet.engine.submit(request(prompt, { ...sampling, seed })));
              expect(essence(choices[i]!)).toEqual(essence(own));
              expect(choices[i]!.promptLogprobs).toEqual(i === 0 ? own.promptLogprobs : undefined);
            }
            const numTokens = choices.map(({ tokenIds }) => tokenIds.length);
            const total = numTokens.reduce((sum, each) => sum + each, 0);
            expect(Math.max(...choices.map(({ last }) => last.usage.completionTokens))).toBe(total);
            expect(choices.every(({ last }) => last.usage.promptTokens === prompt.length)).toBe(true);
            reached.severalChoices += n > 1 ? 1 : 0;
            reached.differentChoices += new Set(choices.map(({ text }) => text)).size > 1 ? 1 : 0;
            reached.early += new Set(numTokens).size > 1 ? 1 : 0;
          }
          await quiet.engine.close();
        },
      ),
      fcParameters(120),
    );
  }, 60_000);

  it('cost one prefill: the others begin as forks of the first', async () => {
    const numTokens: number[] = [];
    const { engine } = await startEngine({
      maxNumBatchedTokens: 64,
      onStep: ({ rows }) => numTokens.push(rows.reduce((sum, { tokens }) => sum + tokens.length, 0)),
    });
    const prompt = Array.from({ length: 30 }, (_, i) => i % 16);
    await collect(engine.submit(request(prompt, { maxTokens: 4, ignoreEos: true }, undefined, { n: 4 })));
    expect(numTokens.reduce((sum, each) => sum + each, 0)).toBe(30 + 3 + 4 * 3);
    await engine.close();
  });

  it('end together, each once, at abort, and free what they held', async () => {
    const { engine } = await startEngine();
    const sampling = { temperature: 1, maxTokens: 40, ignoreEos: true };
    const stream = engine.submit(request([2, 3], sampling, 'x', { n: 3 }));
    const deltas = collect(stream);
    while (engine.stats().generationTokens < 9) await turn();
    expect(engine.abort('x')).toBe(true);
    const ends = (await deltas).filter(({ finishReason }) => finishReason !== undefined);
    expect(ends.map(({ index, finishReason }) => [index, finishReason]).sort()).toEqual([
      [0, 'abort'],
      [1, 'abort'],
      [2, 'abort'],
    ]);
    expect(engine.stats().finished.abort).toBe(1);
    await engine.close();
    engine.checkIntegrity();
  });

  it('end with the step that one of them was in, when it fails', async () => {
    // One sequence at a time: the first choice has ended, the second is in the step that fails, the third waits.
    const { engine } = await startEngine({ maxNumSeqs: 1, fails: (stepId) => stepId === 6 });
    const stream = engine.submit(request([2, 3], { maxTokens: 4, ignoreEos: true }, 'x', { n: 3 }));
    const seen: (number | undefined)[] = [];
    await expect(
      (async () => {
        for await (const { index, finishReason } of stream) if (finishReason !== undefined) seen.push(index);
      })(),
    ).rejects.toMatchObject({ code: 'ERR_STEP_FAILED' });
    expect(seen).toEqual([0]);
    expect(engine.numUnfinished).toBe(0);
    expect(engine.stats().finished).toMatchObject({ error: 1, length: 0 });
    const { last } = await join(engine.submit(request([4], { maxTokens: 2, ignoreEos: true })));
    expect(last.finishReason).toBe('length');
    await engine.close();
    engine.checkIntegrity();
  });

  it('take a place of the queue each, and an empty queue takes any number', async () => {
    const { engine } = await startEngine({ maxQueuedRequests: 4 });
    const sampling = { maxTokens: 2, ignoreEos: true };
    const streams = [engine.submit(request([2], sampling, undefined, { n: 6 }))];
    expect(engine.stats().numQueued).toBe(6);
    expect(() => engine.submit(request([3], sampling))).toThrow(/6 .*at most 4/);
    while (engine.stats().numQueued > 0) await turn();
    streams.push(engine.submit(request([3], sampling, undefined, { n: 3 })));
    streams.push(engine.submit(request([4], sampling)));
    expect(() => engine.submit(request([5], sampling))).toThrow(expect.objectContaining({ code: 'ERR_QUEUE_FULL' }));
    await Promise.all(streams.map(collect));
    expect(engine.stats().numQueued).toBe(0);
    await engine.close();
  });

  it.each([
    ['n', { n: 0 }],
    ['n', { n: 1.5 }],
    ['n', { n: 1_000_000 }],
    ['bestOf', { n: 3, bestOf: 2 }],
    ['timeoutMs', { timeoutMs: 0 }],
  ])('are refused by name when %s cannot be: %o', async (parameter, extras) => {
    const { engine } = await startEngine();
    expect(() => engine.submit(request([1], {}, undefined, extras))).toThrow(expect.objectContaining({ parameter }));
    expect(engine.numUnfinished).toBe(0);
    await engine.close();
  });
});

describe('bestOf choices', () => {
  it('give the n with the highest log-probability a token, best first, with the usage of all', async () => {
    let numReordered = 0;
    await fc.assert(
      fc.asyncProperty(
        tinyRequest(bounds),
        fc.integer({ min: 1, max: 3 }),
        fc.integer({ min: 1, max: 3 }),
        async ({ prompt, ...sampling }, n, extra) => {
          const bestOf = n + extra;
          const { engine } = await startEngine({ vocabSize: bounds.vocabSize, maxModelLen: 20 });
          const best = await joinChoices(engine.submit(request(prompt, sampling, undefined, { n, bestOf })), n);
          const alone: Joined[] = [];
          for (let i = 0; i < bestOf; i++) {
            const own = { ...sampling, seed: choiceSeed(sampling.seed, i), logprobs: sampling.logprobs ?? 0 };
            alone.push(await join(engine.submit(request(prompt, own))));
          }
          const score = ({ logprobs }: Joined) => logprobs.reduce((sum, each) => sum + each, 0) / logprobs.length;
          const order = alone.map((_, i) => i).sort((a, b) => score(alone[b]!) - score(alone[a]!) || a - b);
          numReordered += order[0] === 0 ? 0 : 1;
          for (const [index, choice] of best.entries()) {
            const expected = alone[order[index]!]!;
            const logprobs = sampling.logprobs === undefined ? [] : expected.logprobs;
            expect(essence(choice)).toEqual(essence({ ...expected, logprobs }));
            expect(choice.last.score).toBeCloseTo(score(expected), 12);
          }
          const total = alone.reduce((sum, { tokenIds }) => sum + tokenIds.length, 0);
          expect(best[0]!.last.usage.completionTokens).toBe(total);
          expect(best[0]!.promptLogprobs).toEqual(alone[0]!.promptLogprobs);
          await engine.close();
        },
      ),
      fcParameters(60),
    );
    expectReached({ numReordered }, { numReordered: 0.1 }, 60);
  }, 60_000);
});
