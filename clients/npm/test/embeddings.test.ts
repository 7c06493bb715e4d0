import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { OpenAIEmbeddings } from '@langchain/openai';
import { APICallError, cosineSimilarity, embed, embedMany } from 'ai';
import OpenAI, { BadRequestError, NotFoundError } from 'openai';
import { beforeAll, describe, expect, test } from 'vitest';
import { served } from '../../setup/served.js';

const { baseURL, model, embeddingModel } = served();
const TEXTS = ['A cat sleeps on the sofa.', 'Interest rates rose again.', 'A kitten naps on a couch.', '日本語'];

/** What the server answers for {@link TEXTS}, read without a client. */
let expected: readonly number[][];
beforeAll(async () => {
  const response = await fetch(`${baseURL}/embeddings`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model: embeddingModel, input: TEXTS }),
  });
  const { data } = (await response.json()) as { data: { index: number; embedding: number[] }[] };
  expected = data.toSorted((a, b) => a.index - b.index).map(({ embedding }) => embedding);
  // They say what is alike, so they are of this model and not of another.
  const [cat, rates, kitten] = expected as [number[], number[], number[]];
  expect(cosineSimilarity(cat, kitten)).toBeGreaterThan(0.5);
  expect(cosineSimilarity(cat, rates)).toBeLessThan(0.2);
});

describe('openai', () => {
  const client = new OpenAI({ baseURL, apiKey: 'none', maxRetries: 0 });

  test('asks for base64 by default and reads the very numbers', async () => {
    const answer = await client.embeddings.create({ model: embeddingModel, input: TEXTS });
    expect(answer.object).toBe('list');
    expect(answer.model).toBe(embeddingModel);
    expect(answer.data.map(({ index, object }) => [index, object])).toEqual(TEXTS.map((_, i) => [i, 'embedding']));
    expect(answer.data.map(({ embedding }) => Array.from(embedding))).toEqual(expected);
    expect(answer.usage.prompt_tokens).toBeGreaterThan(TEXTS.length);
    expect(answer.usage.total_tokens).toBe(answer.usage.prompt_tokens);
  });

  test('reads floats, and base64 as text when it was asked for by name', async () => {
    const body = { model: embeddingModel, input: TEXTS[0]! };
    const floats = await client.embeddings.create({ ...body, encoding_format: 'float' });
    expect(floats.data[0]!.embedding).toEqual(expected[0]);
    const coded = await client.embeddings.create({ ...body, encoding_format: 'base64' });
    const bytes = Buffer.from(coded.data[0]!.embedding as unknown as string, 'base64');
    expect(expected[0]!.map((_, i) => bytes.readFloatLE(4 * i))).toEqual(expected[0]);
  });

  test('shortens vectors, whose length stays 1', async () => {
    const { data } = await client.embeddings.create({ model: embeddingModel, input: TEXTS, dimensions: 64 });
    for (const [i, { embedding }] of data.entries()) {
      expect(embedding).toHaveLength(64);
      expect(Math.hypot(...embedding)).toBeCloseTo(1, 5);
      expect(cosineSimilarity([...embedding], expected[i]!.slice(0, 64))).toBeCloseTo(1, 5);
    }
  });

  test('sends token ids', async () => {
    const ask = async (input: number[] | number[][]) =>
      (await client.embeddings.create({ model: embeddingModel, input })).data.map(({ embedding }) => [...embedding]);
    const [one] = await ask([101, 4937, 102]);
    expect(
      await ask([
        [101, 3899, 102],
        [101, 4937, 102],
      ]),
    ).toEqual([expect.any(Array), one]);
  });

  test('gets errors of its classes, which name the field', async () => {
    const refused = (body: object) =>
      client.embeddings.create({ model: embeddingModel, input: 'a', ...body }).catch((error: unknown) => error);
    expect(await refused({ dimensions: 100_000 })).toMatchObject({ status: 400, param: 'dimensions' });
    expect(await refused({ input: 'word '.repeat(1000) })).toBeInstanceOf(BadRequestError);
    expect(await refused({ input: [] })).toMatchObject({ status: 400, param: 'input' });
    expect(await refused({ model: 'text-embedding-3-small' })).toBeInstanceOf(NotFoundError);
    expect(await refused({ model })).toBeInstanceOf(NotFoundError);
  });
});

describe('OpenAIEmbeddings of LangChain', () => {
  const options = { model: embeddingModel, apiKey: 'none', maxRetries: 0, configuration: { baseURL } };

  test.each([undefined, 'float', 'base64'] as const)('embeds with the encoding %s', async (encodingFormat) => {
    // LangChain does not decode what it asked for as base64; without a format its client does both.
    const embeddings = new OpenAIEmbeddings({
      ...options,
      ...(encodingFormat === undefined ? {} : { encodingFormat }),
    });
    const vectors = await embeddings.embedDocuments(TEXTS);
    const decoded = vectors.map((vector: number[] | string) =>
      typeof vector === 'string' ? fromBase64(vector) : vector,
    );
    expect(decoded.map((vector) => [...vector])).toEqual(expected);
  });

  test('embeds a query, batches and fewer dimensions', async () => {
    expect(await new OpenAIEmbeddings(options).embedQuery(TEXTS[1]!)).toEqual(expected[1]);
    const small = new OpenAIEmbeddings({ ...options, batchSize: 2, dimensions: 16 });
    const vectors = await small.embedDocuments(TEXTS);
    expect(vectors.map(({ length }) => length)).toEqual(TEXTS.map(() => 16));
  });
});

describe('AI SDK', () => {
  const provider = createOpenAICompatible({ name: 'kvasir', baseURL });

  test('embed', async () => {
    const { embedding, usage, warnings } = await embed({
      model: provider.embeddingModel(embeddingModel),
      value: TEXTS[0]!,
    });
    expect(embedding).toEqual(expected[0]);
    expect(usage.tokens).toBeGreaterThan(4);
    expect(warnings).toEqual([]);
  });

  test('embedMany, in one call and in several, with fewer dimensions', async () => {
    const { embeddings, usage } = await embedMany({ model: provider.embeddingModel(embeddingModel), values: TEXTS });
    expect(embeddings).toEqual(expected);
    expect(usage.tokens).toBeGreaterThan(TEXTS.length);
    const values = Array.from({ length: 2100 }, (_, i) => `row ${i % 8}`);
    const many = await embedMany({
      ...{ model: provider.embeddingModel(embeddingModel), values },
      providerOptions: { openaiCompatible: { dimensions: 8 } },
    });
    expect(many.embeddings).toHaveLength(2100);
    expect(many.embeddings.slice(2096)).toEqual(many.embeddings.slice(0, 4));
    expect(many.embeddings[0]).toHaveLength(8);
  });

  test('an error is an APICallError with the message of the server', async () => {
    const asked = { model: provider.embeddingModel(model), value: 'a', maxRetries: 0 };
    const error = await embed(asked).catch((reason: unknown) => reason);
    expect(APICallError.isInstance(error)).toBe(true);
    expect(error).toMatchObject({ statusCode: 404, message: expect.stringContaining(model) });
  });
});

function fromBase64(text: string): number[] {
  const bytes = Buffer.from(text, 'base64');
  return Array.from({ length: bytes.length / 4 }, (_, i) => bytes.readFloatLE(4 * i));
}
