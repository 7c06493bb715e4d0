import type { KvCacheEvent } from '@kvasir/interfaces';
import { createFakeBackend } from '@kvasir/testing';
import { describe, expect, it } from 'vitest';
import { LLM } from '../src/index.js';
import { collect, join, request, startEngine } from './support/harness.js';
import { tinyModel } from './support/tiny-model.js';

const sampling = { maxTokens: 2, ignoreEos: true };

describe('the KV cache of an engine', () => {
  it('tells what it stores, drops and clears, until the listener leaves', async () => {
    const { engine } = await startEngine({ blockSize: 2 });
    const events: KvCacheEvent[] = [];
    const leave = engine.subscribeKvEvents((event) => events.push(event));
    await collect(engine.submit(request([2, 3, 4, 5, 6], sampling)));
    expect(events[0]).toMatchObject({ type: 'stored', tier: 'pool', blockSize: 2, tokenIds: [2, 3, 4, 5] });
    engine.resetPrefixCache();
    expect(events.at(-1)).toMatchObject({ type: 'cleared', tier: 'pool' });
    leave();
    const { length } = events;
    await collect(engine.submit(request([2, 3, 4, 5, 6], sampling)));
    expect(events).toHaveLength(length);
    await engine.close();
  });

  it('keeps a pinned prefix through a flood of others, and no longer', async () => {
    const { engine } = await startEngine({ blockSize: 2, numBlocks: 41, maxModelLen: 30, maxPinnedShare: 0.3 });
    const system = [2, 3, 4, 5, 6, 7];
    engine.pinPrefix('system', system);
    const flood = async () => {
      for (let i = 0; i < 12; i++) {
        const prompt = Array.from({ length: 20 }, (_, j) => (i * 5 + j * 3 + 8) % 16);
        await collect(engine.submit(request(prompt, sampling)));
      }
    };
    const cachedTokens = async () =>
      (await join(engine.submit(request([...system, 9], sampling)))).last.usage.cachedTokens;
    await cachedTokens();
    await flood();
    expect(await cachedTokens()).toBe(6);
    engine.checkIntegrity();
    expect(engine.unpinPrefix('system')).toBe(true);
    expect(engine.unpinPrefix('system')).toBe(false);
    await flood();
    expect(await cachedTokens()).toBe(0);
    expect(() => engine.pinPrefix('x', [99])).toThrow(expect.objectContaining({ parameter: 'tokenIds' }));
    expect(() => engine.pinPrefix('x', new Array(60).fill(1))).toThrow(
      expect.objectContaining({ code: 'ERR_PIN_LIMIT' }),
    );
    await engine.close();
  });
});

describe('a pinned system prompt', () => {
  const system = 'You answer in the manner of an old sailor, at length, and never about the weather.';
  const load = (overrides: object) =>
    LLM.load({
      model: tinyModel(overrides),
      backend: createFakeBackend(),
      availableMemoryBytes: () => 2 ** 30,
      kvCacheMemoryBytes: 24 * 256,
      maxPinnedShare: 0.3,
      maxModelLen: 128,
    });

  it.each([
    ['under a chat template, the template included', {}],
    ['as plain text for a base model', { chatTemplate: undefined }],
  ])('is computed at once and outlives a flood, %s', async (_, overrides) => {
    await using llm = await load(overrides);
    expect(await llm.pinSystemPrompt('sailor', system)).toBe(80);
    expect(llm.engine.stats().numPinnedBlocks).toBe(5);
    for (let i = 0; i < 8; i++) {
      await llm.generate([Array.from({ length: 100 }, (_, j) => (i * 31 + j * 7) % 250)], { maxTokens: 2 });
    }
    expect(llm.engine.stats().numEvictedBlocks).toBeGreaterThan(0);
    const ask =
      llm.chatTemplate === undefined
        ? llm.stream(`${system} Where to?`, { maxTokens: 2 })
        : llm.chat(
            [
              { role: 'system', content: system },
              { role: 'user', content: 'Where to?' },
            ],
            { maxTokens: 2 },
          );
    expect((await join(ask)).last.usage.cachedTokens).toBe(80);
    expect(llm.engine.unpinPrefix('sailor')).toBe(true);
    llm.engine.checkIntegrity();
  });

  it('is refused with the numbers when it takes more than its share', async () => {
    await using llm = await load({});
    await expect(llm.pinSystemPrompt('long', 'x'.repeat(120))).rejects.toMatchObject({
      code: 'ERR_PIN_LIMIT',
      numBlocks: 7,
    });
    expect(llm.engine.stats()).toMatchObject({ numPinnedBlocks: 0, numRequests: 0 });
  });
});

describe('a host tier', () => {
  const load = (overrides: object) =>
    LLM.load({ model: tinyModel(), backend: createFakeBackend(), availableMemoryBytes: () => 2 ** 30, ...overrides });

  it('brings back what the pool has evicted', async () => {
    const bytes = 16 * 16;
    await using llm = await load({ kvCacheMemoryBytes: 8 * bytes, hostKvCacheMemoryBytes: 64 * bytes });
    const prompts = Array.from({ length: 5 }, (_, i) => Array.from({ length: 60 }, (_, j) => (i * 31 + j) % 250));
    const first = await llm.generate(prompts, { temperature: 0, maxTokens: 4 });
    const second = await llm.generate(prompts, { temperature: 0, maxTokens: 4 });
    expect(second.map(({ tokenIds }) => tokenIds)).toEqual(first.map(({ tokenIds }) => tokenIds));
    expect(second.every(({ usage }) => usage.cachedTokens === 48)).toBe(true);
    expect(llm.memory.hostKvCacheBytes).toBe(64 * bytes);
  });

  it('counts against memory unless it lies in a file, whose size must be given', async () => {
    const huge = { hostKvCacheMemoryBytes: 2 ** 31 };
    await expect(load(huge)).rejects.toMatchObject({ code: 'ERR_INSUFFICIENT_MEMORY' });
    await using llm = await load({ ...huge, hostKvCacheMemoryBytes: 2 ** 24, hostKvCachePath: 'kv.bin' });
    expect(llm.memory.hostKvCacheBytes).toBe(0);
    await expect(load({ hostKvCachePath: 'kv.bin' })).rejects.toThrow(/how large the file may be/);
    await expect(load({ hostKvCacheMemoryBytes: 100 })).rejects.toThrow(/at least 512, two blocks/);
  });
});
