import { afterAll, expect, test } from 'vitest';
import { loadRealModel, type Served, serveModel } from './support/real-model.js';

const NUM_REQUESTS = 12;
const OUTPUT_TOKENS = 96;
const servers: Served[] = [];

afterAll(async () => {
  for (const server of servers) await server.close();
});

interface Answer {
  readonly choices: readonly { readonly text: string; readonly finish_reason: string; readonly token_ids: number[] }[];
  readonly usage: { readonly prompt_tokens: number; readonly completion_tokens: number };
}

/** Distinct prompts of different lengths, greedy and sampled. */
function body(index: number) {
  return {
    prompt: `Chapter ${index}. ${`Item ${index} of the list, number ${index * 7}. `.repeat(2 + (index % 4))}`,
    max_tokens: OUTPUT_TOKENS,
    temperature: index % 2,
    seed: index,
    ignore_eos: true,
    return_token_ids: true,
  };
}

async function answers(kvCacheMemoryBytes: number | undefined) {
  const options = { maxModelLen: 256, maxNumSeqs: NUM_REQUESTS, enablePrefixCaching: false };
  const llm = await loadRealModel('smollm2', {
    ...options,
    ...(kvCacheMemoryBytes === undefined ? {} : { kvCacheMemoryBytes }),
  });
  const server = await serveModel(llm);
  servers.push(server);
  const all = await Promise.all(
    Array.from({ length: NUM_REQUESTS }, async (_, index) => {
      const { status, body: answer } = await server.post('/v1/completions', body(index));
      expect(status).toBe(200);
      return answer as Answer;
    }),
  );
  llm.engine.checkIntegrity();
  return { all, llm };
}

test('with KV memory for a quarter of the load everything finishes, with the same tokens', {
  timeout: 300_000,
}, async () => {
  const ample = await answers(undefined);
  expect(ample.llm.engine.stats().numPreemptions).toBe(0);
  const { usageTokens, texts } = digest(ample.all);
  const { kvCacheBytes } = ample.llm.memory;
  const bytesPerBlock = kvCacheBytes / (ample.llm.engine.stats().numBlocks + 1);
  const quarterBlocks = Math.ceil(usageTokens / 4 / 16);
  // A sequence of full length must fit on its own, which a quarter of this load does.
  expect(quarterBlocks).toBeGreaterThan(256 / 16);
  const tight = await answers(Math.ceil((quarterBlocks + 1) * bytesPerBlock));
  expect(tight.llm.engine.stats().numPreemptions).toBeGreaterThan(0);
  expect(digest(tight.all).texts).toEqual(texts);
});

function digest(all: readonly Answer[]) {
  const usageTokens = all.reduce((sum, { usage }) => sum + usage.prompt_tokens + usage.completion_tokens, 0);
  for (const { usage, choices } of all) {
    expect(usage.completion_tokens).toBe(OUTPUT_TOKENS);
    expect(choices[0]?.finish_reason).toBe('length');
  }
  return { usageTokens, texts: all.map(({ choices }) => [choices[0]?.text, choices[0]?.token_ids]) };
}
