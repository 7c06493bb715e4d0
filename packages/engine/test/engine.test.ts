import { setImmediate as turn } from 'node:timers/promises';
import { InvariantError, KvasirError } from '@kvasir/interfaces';
import { EMPTY_PREFIX, extendPrefix, fakeLogits } from '@kvasir/testing';
import { describe, expect, it } from 'vitest';
import { collect, EOS, type HarnessOptions, join, request, startEngine } from './support/harness.js';

/** What the fake model says after `tokenIds`, greedily, by its definition. */
function greedy(tokenIds: readonly number[], vocabSize = 16): number {
  const logits = fakeLogits(tokenIds.reduce(extendPrefix, EMPTY_PREFIX), vocabSize);
  return logits.indexOf(Math.max(...logits));
}

function greedyRun(promptTokenIds: readonly number[], numTokens: number): number[] {
  const tokens = [...promptTokenIds];
  for (let i = 0; i < numTokens; i++) tokens.push(greedy(tokens));
  return tokens.slice(promptTokenIds.length);
}

async function withEngine(
  options: HarnessOptions,
  use: (harness: Awaited<ReturnType<typeof startEngine>>) => Promise<void>,
): Promise<void> {
  const harness = await startEngine(options);
  await use(harness);
  await harness.engine.close();
  harness.engine.checkIntegrity();
  expect(harness.engine.stats().numFreeBlocks).toBe(harness.engine.stats().numBlocks);
}

describe('a request', () => {
  it('gets the tokens of the model, one delta at least, and ends once', () =>
    withEngine({}, async ({ engine }) => {
      const prompt = [5, 6, 7, 8, 9];
      const deltas = await collect(engine.submit(request(prompt, { maxTokens: 6, ignoreEos: true })));
      expect(deltas.flatMap((delta) => delta.tokenIds)).toEqual(greedyRun(prompt, 6));
      expect(deltas.filter((delta) => delta.finishReason !== undefined)).toHaveLength(1);
      expect(deltas.at(-1)).toMatchObject({
        finishReason: 'length',
        usage: { promptTokens: 5, completionTokens: 6, cachedTokens: 0 },
      });
    }));

  it('is prefilled in chunks when its prompt is longer than a step', () =>
    withEngine({ maxNumBatchedTokens: 4 }, async ({ engine }) => {
      const prompt = Array.from({ length: 30 }, (_, i) => i % 16);
      const { tokenIds } = await join(engine.submit(request(prompt, { maxTokens: 3, ignoreEos: true })));
      expect(tokenIds).toEqual(greedyRun(prompt, 3));
      expect(engine.stats().numSteps).toBe(8 + 2);
    }));

  it('ends at EOS, which is counted and listed but has no text', () =>
    withEngine({}, async ({ engine }) => {
      const { tokenIds, text, last } = await join(
        engine.submit(request([3, 3], { maxTokens: 60, temperature: 1, seed: 5 })),
      );
      expect(tokenIds.at(-1)).toBe(EOS);
      expect(last).toMatchObject({ finishReason: 'stop', usage: { completionTokens: tokenIds.length } });
      expect(last.stopReason).toBeUndefined();
      expect(text).not.toContain('b');
    }));

  it('ends at a stop token and names it', () =>
    withEngine({}, async ({ engine }) => {
      const run = greedyRun([2, 4], 4);
      const stopId = run[3] as number;
      const { tokenIds, last } = await join(
        engine.submit(request([2, 4], { maxTokens: 9, ignoreEos: true, stopTokenIds: [stopId] })),
      );
      expect(tokenIds).toEqual(run.slice(0, run.indexOf(stopId) + 1));
      expect(last).toMatchObject({ finishReason: 'stop', stopReason: stopId });
    }));

  it('ends at a stop string, without showing it, and counts the tokens that made it', () =>
    withEngine({}, async ({ engine }) => {
      const free = await join(engine.submit(request([9, 8], { maxTokens: 8, ignoreEos: true })));
      const stop = free.text.slice(3, 5);
      const { text, tokenIds, last } = await join(
        engine.submit(request([9, 8], { maxTokens: 8, ignoreEos: true, stop: [stop] })),
      );
      expect(text).toBe(free.text.slice(0, free.text.indexOf(stop)));
      expect(tokenIds).toEqual(free.tokenIds.slice(0, tokenIds.length));
      expect(last).toMatchObject({ finishReason: 'stop', stopReason: stop });
      expect(last.usage.completionTokens).toBe(tokenIds.length);
    }));

  it('cannot end before minTokens', () =>
    withEngine({}, async ({ engine }) => {
      const sampling = { maxTokens: 40, temperature: 2, seed: 3, minTokens: 30 };
      const { tokenIds } = await join(engine.submit(request([3, 3], sampling)));
      expect(tokenIds.length).toBeGreaterThanOrEqual(30);
      expect(tokenIds.slice(0, 30)).not.toContain(EOS);
    }));

  it('reports log-probabilities of output and prompt, the first prompt token apart', () =>
    withEngine({ maxNumBatchedTokens: 4 }, async ({ engine }) => {
      const prompt = [1, 2, 3, 4, 5, 6, 7];
      const sampling = { maxTokens: 2, ignoreEos: true, logprobs: 2, promptLogprobs: 1 };
      const deltas = await collect(engine.submit(request(prompt, sampling)));
      const promptLogprobs = deltas[0]?.promptLogprobs ?? [];
      expect(promptLogprobs.map((each) => each?.chosen.tokenId)).toEqual([undefined, 2, 3, 4, 5, 6, 7]);
      expect(promptLogprobs.slice(1).every((each) => each?.top.length === 1)).toBe(true);
      const logprobs = deltas.flatMap((delta) => delta.logprobs ?? []);
      expect(logprobs.map(({ chosen }) => chosen.tokenId)).toEqual(greedyRun(prompt, 2));
      expect(logprobs.every(({ chosen, top }) => chosen.rank === 1 && top[0]?.tokenId === chosen.tokenId)).toBe(true);
    }));

  it('reports the seed it was sampled with', () =>
    withEngine({}, async ({ engine }) => {
      const stream = engine.submit(request([1], { seed: -1, maxTokens: 1 }));
      expect(stream.seed).toBe((1n << 64n) - 1n);
      await collect(stream);
    }));

  it('is merged into fewer deltas when nobody reads', () =>
    withEngine({}, async ({ engine }) => {
      const stream = engine.submit(request([1, 2], { maxTokens: 10, ignoreEos: true }));
      while (engine.numUnfinished > 0) await turn();
      expect(await collect(stream)).toHaveLength(1);
    }));
});

describe('a request that cannot be', () => {
  const codeOf = (run: () => unknown): string => {
    try {
      run();
    } catch (error) {
      if (KvasirError.isInstance(error)) return error.code;
      throw error;
    }
    return 'accepted';
  };

  it('is refused at once, and nothing is queued', () =>
    withEngine({ maxQueuedRequests: 2 }, async ({ engine }) => {
      expect(codeOf(() => engine.submit(request([])))).toBe('ERR_INVALID_ARGUMENT');
      expect(codeOf(() => engine.submit(request([16])))).toBe('ERR_INVALID_ARGUMENT');
      expect(codeOf(() => engine.submit(request([1], { logprobs: 9 })))).toBe('ERR_INVALID_ARGUMENT');
      expect(codeOf(() => engine.submit(request([1], { stopTokenIds: [99] })))).toBe('ERR_INVALID_ARGUMENT');
      expect(codeOf(() => engine.submit(request(new Int32Array(64))))).toBe('ERR_PROMPT_TOO_LONG');
      expect(engine.numUnfinished).toBe(0);
      const first = engine.submit(request([1], {}, 'same'));
      expect(codeOf(() => engine.submit(request([1], {}, 'same')))).toBe('ERR_DUPLICATE_REQUEST');
      const second = engine.submit(request([2]));
      expect(codeOf(() => engine.submit(request([3])))).toBe('ERR_QUEUE_FULL');
      await Promise.all([collect(first), collect(second)]);
    }));

  it('finds the engine closed', async () => {
    const { engine } = await startEngine();
    await engine.close();
    expect(codeOf(() => engine.submit(request([1])))).toBe('ERR_ENGINE_CLOSED');
  });
});

describe('leaving early', () => {
  it('aborts when the consumer leaves its loop, and frees its blocks', () =>
    withEngine({}, async ({ engine }) => {
      for await (const delta of engine.submit(request([1, 2, 3], { maxTokens: 50, ignoreEos: true }))) {
        if (delta.tokenIds.length > 0) break;
      }
      expect(engine.numUnfinished).toBe(0);
      while (engine.stats().numFreeBlocks < engine.stats().numBlocks) await turn();
      expect(engine.stats().finished.abort).toBe(1);
    }));

  it('ends with a last delta at abort(id)', () =>
    withEngine({}, async ({ engine }) => {
      const stream = engine.submit(request([1, 2, 3], { maxTokens: 50, ignoreEos: true }, 'x'));
      await stream.next();
      expect(engine.abort('x')).toBe(true);
      expect(engine.abort('x')).toBe(false);
      expect((await collect(stream)).at(-1)).toMatchObject({ finishReason: 'abort' });
    }));

  it.each([
    ['before submission', 0],
    ['while queued', 1],
    ['in prefill', 2],
    ['in decode', 12],
  ])('rejects with the reason of a signal that fires %s', (_, turns) =>
    withEngine({ maxNumBatchedTokens: 4 }, async ({ engine }) => {
      const controller = new AbortController();
      if (turns === 0) controller.abort();
      const prompt = Array.from({ length: 20 }, (_, i) => i % 16);
      const options = { signal: controller.signal };
      const stream = engine.submit(request(prompt, { maxTokens: 40, ignoreEos: true }), options);
      const result = collect(stream);
      result.catch(() => undefined);
      for (let i = 1; i < turns; i++) await turn();
      controller.abort();
      await expect(result).rejects.toThrow(expect.objectContaining({ name: 'AbortError' }));
      expect(engine.numUnfinished).toBe(0);
    }),
  );

  it('lets running requests end when it closes with time to drain, and aborts them without', async () => {
    const patient = await startEngine();
    const drained = join(patient.engine.submit(request([1, 2], { maxTokens: 20, ignoreEos: true })));
    await patient.engine.close({ drainTimeoutMs: 10_000 });
    expect((await drained).last.finishReason).toBe('length');
    const hasty = await startEngine();
    const cut = join(hasty.engine.submit(request([1, 2], { maxTokens: 20, ignoreEos: true })));
    await hasty.engine.close();
    expect((await cut).last.finishReason).toBe('abort');
  });
});

describe('a step that fails', () => {
  it.each([1, 2] as const)('ends its requests with an error and no others (%i in flight)', (maxInFlight) =>
    withEngine({ maxInFlight, maxNumSeqs: 2, fails: (stepId) => stepId === 3 }, async ({ engine }) => {
      const sampling = { maxTokens: 12, ignoreEos: true };
      const doomed = [engine.submit(request([1], sampling)), engine.submit(request([2], sampling))];
      const waiting = [engine.submit(request([3], sampling)), engine.submit(request([4, 5], sampling))];
      const results = await Promise.allSettled(doomed.map(collect));
      expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
      expect(engine.stats().finished.error).toBeGreaterThanOrEqual(2);
      const rest = await Promise.allSettled(waiting.map(join));
      if (maxInFlight === 1) {
        expect(rest.map((each) => each.status === 'fulfilled' && each.value.tokenIds)).toEqual([
          greedyRun([3], 12),
          greedyRun([4, 5], 12),
        ]);
      }
      const later = await join(engine.submit(request([6], sampling)));
      expect(later.tokenIds).toEqual(greedyRun([6], 12));
    }),
  );

  it('does not take the loop down when every step fails', () =>
    withEngine({ fails: () => true }, async ({ engine }) => {
      const streams = Array.from({ length: 10 }, (_, i) => engine.submit(request([i])));
      const results = await Promise.allSettled(streams.map(collect));
      expect(results.every(({ status }) => status === 'rejected')).toBe(true);
    }));
});

describe('a broken invariant', () => {
  it('ends every request with the error, and the engine takes no more', async () => {
    const { engine, kvCache } = await startEngine({ maxNumSeqs: 1 });
    kvCache.takeTransfers = () => {
      throw new InvariantError('blocks leak');
    };
    const results = await Promise.allSettled([1, 2, 3].map((id) => collect(engine.submit(request([id])))));
    expect(results.map((each) => each.status === 'rejected' && each.reason.code)).toEqual(
      new Array(3).fill('ERR_INVARIANT'),
    );
    expect(engine.failure?.message).toContain('blocks leak');
    expect(() => engine.submit(request([4]))).toThrow(/blocks leak/);
    await engine.close();
  });
});

describe('an idle engine', () => {
  it('has no timer and no step pending', () =>
    withEngine({}, async ({ engine }) => {
      await join(engine.submit(request([1])));
      await turn();
      const { numSteps } = engine.stats();
      for (let i = 0; i < 50; i++) await turn();
      expect(engine.stats().numSteps).toBe(numSteps);
      const timers = process.getActiveResourcesInfo().filter((name) => name === 'Immediate');
      expect(timers).toEqual([]);
    }));
});
