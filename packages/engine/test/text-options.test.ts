import { describe, expect, it } from 'vitest';
import { EOS, join, request, startEngine } from './support/harness.js';

describe('text of a choice', () => {
  it('keeps the stop string that ended it when asked to, and nothing behind it', async () => {
    const { engine } = await startEngine();
    const free = await join(engine.submit(request([9, 8], { maxTokens: 8, ignoreEos: true })));
    const stop = free.text.slice(3, 5);
    const sampling = { maxTokens: 8, ignoreEos: true, stop: [stop] };
    const kept = await join(engine.submit(request([9, 8], sampling, undefined, { includeStopInOutput: true })));
    expect(kept.text).toBe(free.text.slice(0, free.text.indexOf(stop) + stop.length));
    expect(kept.last).toMatchObject({ finishReason: 'stop', stopReason: stop });
    await engine.close();
  });

  it('keeps the text of a stop token when asked to', async () => {
    const { engine } = await startEngine();
    const free = await join(engine.submit(request([2, 4], { maxTokens: 4, ignoreEos: true })));
    const stopId = free.tokenIds[3] as number;
    const upTo = free.tokenIds.slice(0, free.tokenIds.indexOf(stopId) + 1);
    const sampling = { maxTokens: 9, ignoreEos: true, stopTokenIds: [stopId] };
    const textOf = async (includeStopInOutput: boolean) =>
      (await join(engine.submit(request([2, 4], sampling, undefined, { includeStopInOutput })))).text;
    expect(free.text.startsWith(await textOf(true))).toBe(true);
    expect((await textOf(true)).length).toBeGreaterThan((await textOf(false)).length);
    expect(upTo.length).toBeGreaterThan(0);
    await engine.close();
  });

  it('shows special tokens when they are not to be skipped', async () => {
    const { engine } = await startEngine();
    const sampling = { temperature: 1, seed: 5, maxTokens: 60 };
    const extras = { skipSpecialTokens: false, includeStopInOutput: true };
    const hidden = await join(engine.submit(request([3, 3], sampling)));
    const shown = await join(engine.submit(request([3, 3], sampling, undefined, extras)));
    expect(shown.tokenIds.at(-1)).toBe(EOS);
    expect(shown.text).toBe(`${hidden.text}</s>`);
    await engine.close();
  });
});
