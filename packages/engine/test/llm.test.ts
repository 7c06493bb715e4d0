import { createFakeBackend } from '@kvasir/testing';
import { describe, expect, it } from 'vitest';
import { LLM, type SamplingOptions } from '../src/index.js';
import { collect } from './support/harness.js';
import { tinyModel } from './support/tiny-model.js';

const GREEDY = { temperature: 0, maxTokens: 6, ignoreEos: true };

function load(overrides: Partial<Parameters<typeof LLM.load>[0]> = {}): Promise<LLM> {
  return LLM.load({
    model: tinyModel(),
    backend: createFakeBackend(),
    availableMemoryBytes: () => 2 ** 30,
    ...overrides,
  });
}

describe('LLM', () => {
  it('streams and generates the same text, from text or token ids', async () => {
    await using llm = await load();
    const deltas = await collect(llm.stream('hello', GREEDY));
    const [completion] = await llm.generate('hello', GREEDY);
    const [fromIds] = await llm.generate(llm.tokenizer.encode('hello'), GREEDY);
    expect(deltas.map(({ text }) => text).join('')).toBe(completion?.text);
    expect(completion).toMatchObject({ finishReason: 'length', usage: { promptTokens: 5, completionTokens: 6 } });
    expect(fromIds?.tokenIds).toEqual(completion?.tokenIds);
  });

  it('refuses what is no token id instead of rounding it', async () => {
    await using llm = await load();
    for (const wrong of [1.5, Number.NaN, 2 ** 32 + 1, -1]) {
      expect(() => llm.stream([1, wrong])).toThrow(/token/);
    }
    await expect(llm.generate([[1, 1.5]])).rejects.toMatchObject({ code: 'ERR_INVALID_ARGUMENT', parameter: 'prompt' });
  });

  it('generates many prompts in order, more than the engine takes at a time', async () => {
    await using llm = await load({ maxNumSeqs: 2, maxQueuedRequests: 2 });
    const prompts = Array.from({ length: 20 }, (_, i) => `prompt ${i}`);
    const together = await llm.generate(prompts, GREEDY);
    for (const [index, prompt] of prompts.entries()) {
      const [alone] = await llm.generate(prompt, GREEDY);
      expect(together[index]?.tokenIds).toEqual(alone?.tokenIds);
    }
    expect(await llm.generate([], GREEDY)).toEqual([]);
  });

  it('chats through the template, and refuses without one', async () => {
    await using llm = await load();
    const stream = llm.chat([{ role: 'user', content: 'hi' }], GREEDY);
    expect(llm.tokenizer.decode(stream.promptTokenIds)).toBe('hi!');
    await collect(stream);
    const { chatTemplate: _, ...base } = tinyModel();
    await using plain = await load({ model: base });
    expect(() => plain.chat([{ role: 'user', content: 'hi' }])).toThrow(/no chat template/);
  });

  it("takes what a call leaves out from the model's own settings, unless told not to", async () => {
    const plain = tinyModel();
    const model = { ...plain, generation: { ...plain.generation, sampling: { topK: 1, maxTokens: 5 } } };
    const call = { seed: 3, temperature: 2, ignoreEos: true };
    await using llm = await load({ model });
    await using neutral = await load({ model, generationConfig: 'vllm' });
    expect([llm.defaultSampling, neutral.defaultSampling]).toEqual([{ topK: 1, maxTokens: 5 }, {}]);
    const tokensOf = async (each: LLM, params: SamplingOptions) => (await each.generate('x', params))[0]?.tokenIds;
    const greedy = await tokensOf(neutral, { ...call, temperature: 0, maxTokens: 5 });
    expect(await tokensOf(llm, { ...call, topK: undefined })).toEqual(greedy);
    expect(await tokensOf(neutral, call)).toHaveLength(16);
    const given = { ...call, topK: 0, maxTokens: 12 };
    expect(await tokensOf(llm, given)).toEqual(await tokensOf(neutral, given));
    await expect(load({ generationConfig: 'none' as 'auto' })).rejects.toMatchObject({ parameter: 'generationConfig' });
  });

  it('draws a seed, reports it, and gives the same tokens for it', async () => {
    await using llm = await load();
    const [drawn] = await llm.generate('x', { maxTokens: 12 });
    const [again] = await llm.generate('x', { maxTokens: 12, seed: drawn?.seed });
    expect(again?.tokenIds).toEqual(drawn?.tokenIds);
    const seeds = await Promise.all(
      [1, 2].map(async () => {
        await using seeded = await load({ seed: 42 });
        return (await seeded.generate(['a', 'b'], { maxTokens: 1 })).map(({ seed }) => seed);
      }),
    );
    expect(seeds[0]).toEqual(seeds[1]);
    expect(seeds[0]?.[0]).not.toBe(seeds[0]?.[1]);
  });

  it('ends every prompt when its signal fires', async () => {
    await using llm = await load();
    const controller = new AbortController();
    const result = llm.generate(['a', 'b', 'c'], { ...GREEDY, maxTokens: 200 }, { signal: controller.signal });
    setImmediate(() => controller.abort());
    await expect(result).rejects.toThrow(expect.objectContaining({ name: 'AbortError' }));
    expect(llm.engine.numUnfinished).toBe(0);
  });

  it('ends the other prompts when one cannot run', async () => {
    await using llm = await load();
    await expect(llm.generate(['a', 'b'.repeat(300)], GREEDY)).rejects.toThrow(
      expect.objectContaining({ code: 'ERR_PROMPT_TOO_LONG', promptTokens: 300, maxModelLen: 256 }),
    );
    expect(llm.engine.numUnfinished).toBe(0);
  });

  it('keeps several models apart in one process', async () => {
    await using first = await load();
    await using second = await load({ maxModelLen: 32 });
    const [a, b] = await Promise.all([first.generate('same', GREEDY), second.generate('same', GREEDY)]);
    expect(a[0]?.tokenIds).toEqual(b[0]?.tokenIds);
    await first.close();
    expect(await second.generate('same', GREEDY)).toMatchObject([{ tokenIds: b[0]?.tokenIds }]);
  });
});

describe('LLM.load', () => {
  it.each([
    [{ maxTokens: 1 }, /unknown option maxTokens/],
    [{ dtype: 'float16' }, /dtype is float16: expected one of auto, float32/],
    [{ maxModelLen: 1 }, /maxModelLen is 1: expected an integer of at least 2/],
    [{ maxModelLen: 257 }, /made for 256 positions/],
    [{ policy: 'lifo' }, /policy is lifo: expected one of fcfs, priority, fair, shortest-prefix-first/],
    [{ tenantWeights: { a: 2 } }, /tenantWeights are given under the policy fcfs/],
    [{ policy: 'fair', tenantWeights: { a: 0 } }, /tenantWeights.a is 0/],
    [{ targetItlMs: -1 }, /targetItlMs is -1/],
    [{ maxNumSeqs: 8, maxNumBatchedTokens: 4 }, /at least a token for each running sequence/],
  ])('refuses %o', async (options, message) => {
    await expect(load(options as object)).rejects.toThrow(message);
  });

  it('refuses a model that does not fit, with the numbers', async () => {
    const backend = createFakeBackend({ weightBytes: 3 * 2 ** 30 });
    await expect(load({ backend })).rejects.toThrow(
      expect.objectContaining({ code: 'ERR_INSUFFICIENT_MEMORY', availableBytes: 2 ** 30 }),
    );
    await expect(load({ backend })).rejects.toThrow(/needs 3.0 GiB \(weights 3.0 GiB.*1.0 GiB are available/);
    expect(backend.sessions).toHaveLength(0);
  });

  it('lowers maxModelLen to what the KV cache holds, or refuses when it was asked for', async () => {
    await using llm = await load({ kvCacheMemoryBytes: 5 * 16 * 16 });
    expect(llm.limits.maxModelLen).toBe(4 * 16 + 1);
    const [completion] = await llm.generate('x', { ...GREEDY, maxTokens: 200 });
    expect(completion?.usage.completionTokens).toBe(64);
    await expect(load({ kvCacheMemoryBytes: 5 * 16 * 16, maxModelLen: 100 })).rejects.toThrow(
      /holds a sequence of 65 tokens, maxModelLen is 100/,
    );
  });

  it('stops when its signal has fired', async () => {
    await expect(load({ signal: AbortSignal.abort() })).rejects.toThrow(/abort/);
  });
});

describe('who goes first', () => {
  it('is the smallest priority under that policy, the earliest otherwise', async () => {
    const order = async (policy: 'fcfs' | 'priority') => {
      await using llm = await load({ policy, maxNumSeqs: 1, enablePrefixCaching: false });
      const ended: number[] = [];
      await Promise.all(
        [2, 0, 1].map(async (priority) => {
          await collect(llm.stream('abc', { ...GREEDY, maxTokens: 2 }, { priority }));
          ended.push(priority);
        }),
      );
      return ended;
    };
    expect(await order('fcfs')).toEqual([2, 0, 1]);
    expect(await order('priority')).toEqual([0, 1, 2]);
  });

  it('is each tenant by its weight under the policy fair', async () => {
    await using llm = await load({ policy: 'fair', tenantWeights: { big: 3 }, maxNumSeqs: 1 });
    const ended: string[] = [];
    const run = async (tenant: string) => {
      await collect(llm.stream('abcdefgh', { ...GREEDY, maxTokens: 8 }, { tenant }));
      ended.push(tenant);
    };
    await Promise.all([...new Array(6).fill('small'), ...new Array(6).fill('big')].map(run));
    const firstHalf = ended.slice(0, 6).filter((tenant) => tenant === 'big').length;
    expect(firstHalf).toBeGreaterThanOrEqual(4);
  });
});
