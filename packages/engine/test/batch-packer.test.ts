import { SLOT_OP } from '@kvasir/interfaces';
import type { StepRecords } from '@kvasir/kernels-cpu/reference';
import { fcParameters, tinyRequest } from '@kvasir/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { collect, request, startEngine } from './support/harness.js';

describe('what is packed', () => {
  it('is every sampling parameter, to the last bit of the seed', async () => {
    await fc.assert(
      fc.asyncProperty(tinyRequest({ vocabSize: 16, maxPrompt: 9, maxTokens: 4 }), async ({ prompt, ...sampling }) => {
        const steps: StepRecords[] = [];
        const { engine } = await startEngine({ onStep: ({ records }) => steps.push(structuredClone(records)) });
        await collect(engine.submit(request(prompt, sampling)));
        await engine.close();
        const [init] = steps[0]!.slotOps;
        expect({
          ...init,
          history: [...init!.history],
          stopIds: [...init!.stopIds],
          allowedIds: [...init!.allowedIds],
        }).toEqual({
          op: SLOT_OP.init,
          slot: 0,
          source: 0,
          program: 0,
          history: prompt,
          historyLength: prompt.length,
          numComputed: 0,
          promptLength: prompt.length,
          maxLength: prompt.length + sampling.maxTokens,
          minLength: prompt.length + sampling.minTokens,
          ignoreEos: sampling.ignoreEos,
          seed: sampling.seed,
          temperature: sampling.temperature,
          topP: Math.fround(sampling.topP),
          topK: sampling.topK,
          stopIds: sampling.stopTokenIds,
          minP: Math.fround(sampling.minP),
          typicalP: Math.fround(sampling.typicalP),
          repetitionPenalty: Math.fround(sampling.repetitionPenalty),
          presencePenalty: Math.fround(sampling.presencePenalty),
          frequencyPenalty: Math.fround(sampling.frequencyPenalty),
          logitBias: new Map([...sampling.logitBias].map(([id, bias]) => [id, Math.fround(bias)])),
          allowedIds: sampling.allowedTokenIds ?? [],
          badWords: sampling.badWords,
        });
      }),
      fcParameters(100),
    );
  });

  it('never holds a 0 for what is above 0, however small', async () => {
    const steps: StepRecords[] = [];
    const { engine } = await startEngine({ onStep: ({ records }) => steps.push(structuredClone(records)) });
    const tiny = { topP: Number.MIN_VALUE, typicalP: 1e-60, repetitionPenalty: 1e-300 };
    await collect(engine.submit(request([2, 3], { ...tiny, maxTokens: 1 })));
    await engine.close();
    const { topP, typicalP, repetitionPenalty } = steps[0]!.slotOps[0]!;
    for (const value of [topP, typicalP, repetitionPenalty]) {
      expect(value).toBeGreaterThan(0);
      expect(value).toBeLessThan(1e-37);
    }
  });

  it('is whole when lists outgrow the arena', async () => {
    const steps: StepRecords[] = [];
    const { engine } = await startEngine({ onStep: ({ records }) => steps.push(structuredClone(records)) });
    const badWords = Array.from({ length: 1500 }, (_, i) =>
      Array.from({ length: 1 + (i % 3) }, (_, k) => (i + k) % 16),
    );
    await collect(engine.submit(request([2, 3], { badWords, maxTokens: 1 })));
    await engine.close();
    expect(steps[0]!.slotOps[0]!.badWords).toEqual(badWords);
  });

  it('is the release of a slot in the step after its sequence ended', async () => {
    const steps: StepRecords[] = [];
    const { engine, session } = await startEngine({ onStep: ({ records }) => steps.push(structuredClone(records)) });
    const long = collect(engine.submit(request([2, 3], { maxTokens: 12, ignoreEos: true })));
    await collect(engine.submit(request([4, 5], { maxTokens: 2, ignoreEos: true })));
    await long;
    const released = steps.findIndex(({ slotOps }) => slotOps.some(({ op }) => op === SLOT_OP.release));
    // The short one runs in steps 1 and 2, and step 3 gives its slot up.
    expect(released).toBe(2);
    expect(session.numSlots).toBe(1);
    await engine.close();
  });

  it('is a table entry only once, when it is new', async () => {
    const steps: StepRecords[] = [];
    const { engine } = await startEngine({
      blockSize: 4,
      onStep: ({ records }) => steps.push(structuredClone(records)),
    });
    await collect(engine.submit(request([1, 2, 3, 4, 5], { maxTokens: 9, ignoreEos: true })));
    await engine.close();
    const sent = steps.flatMap(({ tableUpdates }) => tableUpdates.map(({ start, ids }) => [start, ids.length]));
    expect(sent).toEqual([
      [0, 2],
      [2, 1],
      [3, 1],
    ]);
  });
});
