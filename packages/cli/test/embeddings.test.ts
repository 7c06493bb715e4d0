import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { realModelPath } from './support/real-model.js';
import { spawnKvasir } from './support/spawn-kvasir.js';
import { temporaryFolder } from './support/temporary-folder.js';
import { writeTinyModel } from './support/tiny-checkpoint.js';

// The real encoder behind the built command.

type Embedded = { readonly data: readonly { readonly embedding: number[] | string }[]; readonly usage: object };

const post = async <T>(url: string, path: string, body: object): Promise<{ status: number; body: T }> => {
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(url + path, { method: 'POST', headers, body: JSON.stringify(body) });
  return { status: response.status, body: (await response.json()) as T };
};

const TEXTS = Array.from({ length: 32 }, (_, i) =>
  Array.from({ length: 1 + ((i * 7) % 40) }, (_, j) => ['the', 'kitten', 'Zürich', '1984', 'runs,'][(i + j) % 5]).join(
    ' ',
  ),
);

const minilm = realModelPath('minilm');
const serve = (argv: readonly string[]) => spawnKvasir(['serve', ...argv, '--port', '0']);

describe('kvasir serve', () => {
  test('serves an encoder alone: bits do not depend on company, base64 equals float', { timeout: 60_000 }, async () => {
    const facts = await serve([minilm, '--served-model-name', 'minilm', '--max-queue', '100']).ready();
    expect(facts).toMatchObject({ model: 'minilm', embedding_width: 384 });
    expect(facts).not.toHaveProperty('kv_cache_bytes');
    const embed = async (body: object) => (await post<Embedded>(facts.url, '/v1/embeddings', body)).body.data;

    const together = (await embed({ input: TEXTS })).map(({ embedding }) => embedding);
    const alone: unknown[] = [];
    for (const input of TEXTS.slice(0, 8)) alone.push((await embed({ input }))[0]!.embedding);
    expect(together.slice(0, 8)).toEqual(alone);
    const atOnce = await Promise.all(TEXTS.map(async (input) => (await embed({ input }))[0]!.embedding));
    expect(atOnce).toEqual(together);

    const [encoded] = await embed({ input: TEXTS[5], encoding_format: 'base64' });
    const bytes = Buffer.from(encoded!.embedding as string, 'base64');
    expect(Array.from({ length: 384 }, (_, i) => bytes.readFloatLE(4 * i))).toEqual(together[5]);
    expect(Math.hypot(...(together[5] as number[]))).toBeCloseTo(1, 5);

    const ranked = await post<{ results: { index: number }[] }>(facts.url, '/v1/rerank', {
      query: 'Which city is the French government in?',
      documents: ['Bananas are yellow.', 'Paris is the capital of France.', 'The stock market fell.'],
    });
    expect(ranked.body.results[0]!.index).toBe(1);
    const refused = await post<{ error: { code: string } }>(facts.url, '/v1/completions', { prompt: 'x' });
    expect([refused.status, refused.body.error.code]).toEqual([404, 'unsuitable_model']);
  });

  test('serves one beside a language model', { timeout: 60_000 }, async () => {
    const tiny = join(temporaryFolder(), 'tiny.gguf');
    await writeTinyModel(tiny);
    const facts = await serve([tiny, '--embedding-model', minilm]).ready();
    const { url, embedding_model: model } = facts;
    expect(facts).toMatchObject({ model: 'tiny', embedding_width: 384, kv_cache_bytes: expect.any(Number) });
    const { data } = (await (await fetch(`${url}/v1/models`)).json()) as { data: { id: string }[] };
    expect(data.map(({ id }) => id)).toEqual(['tiny', model]);
    expect((await post(url, '/v1/embeddings', { model, input: 'x' })).status).toBe(200);
    expect((await post(url, '/v1/completions', { model: 'tiny', prompt: 'abc', max_tokens: 1 })).status).toBe(200);
    expect((await post(url, '/v1/completions', { model, prompt: 'abc' })).status).toBe(404);
  });

  test('refuses flags of text generation for an encoder, flags of embeddings without one, and an encoder where text is wanted', async () => {
    expect(await serve([minilm, '--kv-cache-dtype', 'int8']).ended).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--kv-cache-dtype: '),
    });
    const tiny = join(temporaryFolder(), 'tiny.gguf');
    await writeTinyModel(tiny);
    expect(await serve([tiny, '--max-embedding-inputs', '1']).ended).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--max-embedding-inputs: no embedding model is served'),
    });
    expect(await spawnKvasir(['generate', minilm, '--prompt', 'x']).ended).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('is an encoder, which gives embeddings'),
    });
  });
});
