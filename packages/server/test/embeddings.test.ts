import { describe, expect, test } from 'vitest';
import { createServer } from '../src/index.js';
import { type Json, jsonOf, post, postOk, startEmbeddingServer, until } from './support/client.js';
import { cosine, createFakeEmbedder, createGate, vectorOfIds, vectorOfText, WIDTH } from './support/fake-embedder.js';
import { FakeModel } from './support/fake-model.js';

const numbers = (text: string) => Array.from(vectorOfText(text));

async function refusal(url: string, path: string, body: unknown): Promise<readonly unknown[]> {
  const response = await post(`${url}${path}`, body);
  const { error } = await jsonOf(response);
  return [response.status, error.code, error.param, error.message];
}

test('prompts that are logged are the texts of every route', async () => {
  const prompts: string[] = [];
  const stream = { write: (line: string) => void prompts.push(...[JSON.parse(line).prompt ?? []].flat()) };
  const { url } = await startEmbeddingServer({}, { logger: { level: 'info', stream }, logPrompts: true });
  const bodies = [
    ['/v1/embeddings', { input: ['ab', 'c'] }, ['ab', 'c']],
    [
      '/v1/rerank',
      { documents: ['b', { text: 'c' }], query: 'a', top_n: 1 },
      { query: 'a', documents: ['b', { text: 'c' }] },
    ],
    ['/v1/score', { text_1: 'a', text_2: ['b', 'c'], user: 'u' }, { text_1: 'a', text_2: ['b', 'c'] }],
    ['/v1/score', { queries: 'a', items: 'b' }, { queries: 'a', items: 'b' }],
    ['/v1/score', { data_2: 'b', data_1: 'a' }, { data_1: 'a', data_2: 'b' }],
  ] as const;
  for (const [index, [path, body, expected]] of bodies.entries()) {
    await postOk(`${url}${path}`, body);
    await until(() => prompts.length === index + 1);
    expect(prompts[index]).toBe(JSON.stringify(expected));
  }
});

describe('/v1/embeddings', () => {
  test('answers in OpenAI’s shape, in the order of the inputs', async () => {
    const { url } = await startEmbeddingServer();
    const json = await postOk(`${url}/v1/embeddings`, { model: 'fake-embedder', input: ['ab', '', 'ü'], user: 'u' });
    expect(json).toEqual({
      id: expect.stringMatching(/^embd-/),
      object: 'list',
      created: expect.any(Number),
      model: 'fake-embedder',
      data: ['ab', '', 'ü'].map((text, index) => ({ object: 'embedding', index, embedding: numbers(text) })),
      usage: { prompt_tokens: 10, total_tokens: 10 },
    });
  });

  test.each([
    ['ab', [vectorOfText('ab')]],
    [
      ['ab', 'c'],
      [vectorOfText('ab'), vectorOfText('c')],
    ],
    [[1, 2, 3], [vectorOfIds([1, 2, 3])]],
    [
      [[1, 2], [3]],
      [vectorOfIds([1, 2]), vectorOfIds([3])],
    ],
  ])('takes the input %j', async (input, vectors) => {
    const { url } = await startEmbeddingServer();
    const { data } = await postOk(`${url}/v1/embeddings`, { input });
    expect(data.map(({ embedding }: Json) => Float32Array.from(embedding))).toEqual(vectors);
  });

  test('base64 is the same numbers as float', async () => {
    const { url } = await startEmbeddingServer();
    const ask = (encoding_format: string) => postOk(`${url}/v1/embeddings`, { input: ['ab', 'c'], encoding_format });
    const [floats, encoded] = [await ask('float'), await ask('base64')];
    for (const [i, { embedding }] of encoded.data.entries()) {
      const bytes = Buffer.from(embedding, 'base64');
      const decoded = Array.from({ length: WIDTH }, (_, at) => bytes.readFloatLE(4 * at));
      expect(bytes.length).toBe(4 * WIDTH);
      expect(decoded).toEqual(floats.data[i].embedding);
    }
  });

  test('many vectors are written over several turns, none lost', async () => {
    const { url } = await startEmbeddingServer({ maxQueuedInputs: 8192 });
    const input = Array.from({ length: 2000 }, (_, i) => `text ${i}`);
    const { data } = await postOk(`${url}/v1/embeddings`, { input, encoding_format: 'base64' });
    expect(data).toHaveLength(2000);
    expect(Buffer.from(data[1999].embedding, 'base64').readFloatLE(0)).toBe(vectorOfText('text 1999')[0]);
  });

  test('dimensions cut and give length 1 again', async () => {
    const { url } = await startEmbeddingServer();
    const { data } = await postOk(`${url}/v1/embeddings`, { input: 'ab', dimensions: 3 });
    expect(data[0].embedding).toHaveLength(3);
    expect(Math.hypot(...data[0].embedding)).toBeCloseTo(1, 6);
    expect(cosine(data[0].embedding, numbers('ab').slice(0, 3))).toBeCloseTo(1, 6);
  });

  test('truncate_prompt_tokens cuts a text between its special tokens, and ids at their end', async () => {
    const { url } = await startEmbeddingServer({ maxModelLen: 6 });
    const ask = (input: unknown, truncate_prompt_tokens: number) =>
      postOk(`${url}/v1/embeddings`, { input, truncate_prompt_tokens });
    const cut = await ask('abcdefgh', -1);
    expect([cut.data[0].embedding, cut.usage.prompt_tokens]).toEqual([numbers('abcd'), 6]);
    expect((await ask('abcdefgh', 4)).data[0].embedding).toEqual(numbers('ab'));
    expect((await ask([1, 2, 3], 2)).data[0].embedding).toEqual(Array.from(vectorOfIds([1, 2])));
    expect((await ask('ab', 4)).data[0].embedding).toEqual(numbers('ab'));
  });

  test('a request id is part of the answer’s', async () => {
    const { url } = await startEmbeddingServer();
    expect((await postOk(`${url}/v1/embeddings`, { input: 'a', request_id: 'mine' })).id).toBe('embd-mine');
  });

  test.each([
    [{}, 'missing_required_parameter', 'input', /'input' is missing/],
    [{ input: [] }, 'invalid_value', 'input', /empty array, expected a string, token ids, or a non-empty array/],
    [{ input: 5 }, 'invalid_value', 'input', /expected a string/],
    [{ input: ['a', 1] }, 'invalid_value', 'input[1]', /expected a string/],
    [{ input: [[1], []] }, 'invalid_value', 'input[1]', /array that is not empty/],
    [{ input: [1, 258] }, 'invalid_value', 'input[1]', /a token id from 0 to 257/],
    [{ input: ['a', 'b', 'c', 'd'] }, 'invalid_value', 'input', /at most 3 inputs; send fewer/],
    [{ input: 'x'.repeat(101) }, 'invalid_value', 'input', /at most 100 characters, got 101/],
    [{ input: ['a', 'x'.repeat(40)] }, 'context_length_exceeded', 'input[1]', /has 42 tokens, but the model takes 32/],
    [
      { input: ['x'.repeat(20), 'x'.repeat(20), 'x'] },
      'invalid_value',
      'input',
      /have 47 tokens, this server takes at most 45/,
    ],
    [{ input: 'a', encoding_format: 'bytes' }, 'invalid_value', 'encoding_format', /float, base64/],
    [{ input: 'a', dimensions: 9 }, 'invalid_value', 'dimensions', /from 1 to 8/],
    [{ input: 'a', dimensions: 0 }, 'invalid_value', 'dimensions', /from 1 to 8/],
    [{ input: 'a', truncate_prompt_tokens: -2 }, 'invalid_value', 'truncate_prompt_tokens', /from -1/],
    [{ input: 'a', truncate_prompt_tokens: 64, user: 5 }, 'invalid_value', 'user', /a string/],
    [{ input: 'a', dimension: 3 }, 'unknown_parameter', 'dimension', /did you mean 'dimensions'/],
    [
      { input: 'a', messages: [{ role: 'user', content: 'x' }] },
      'unsupported_parameter',
      'messages',
      /does not support/,
    ],
    [{ input: 'a', priority: 1 }, 'unsupported_parameter', 'priority', /send 0/],
    [{ input: 'a', embed_dtype: 'float16' }, 'unsupported_parameter', 'embed_dtype', /send "float32"/],
    [{ input: 'a', endianness: 'big' }, 'unsupported_parameter', 'endianness', /"little"/],
    [{ input: 'a', truncation_side: 'left' }, 'unsupported_parameter', 'truncation_side', /send "right"/],
    [{ input: 'a', padding: 'max_length' }, 'unsupported_parameter', 'padding', /do_not_pad/],
    [{ input: 'a', add_special_tokens: false }, 'unsupported_parameter', 'add_special_tokens', /send true/],
    [{ input: 'a', use_activation: true }, 'unsupported_parameter', 'use_activation', /leave it out/],
    [{ input: 'a', cache_salt: 'x' }, 'unsupported_parameter', 'cache_salt', /leave it out/],
    [{ input: 'a', mm_processor_kwargs: { a: 1 } }, 'unsupported_parameter', 'mm_processor_kwargs', /send \{\}/],
    [{ input: 'a', model: 7 }, 'invalid_value', 'model', /a string/],
    [{ input: 'a', request_id: 'ä' }, 'invalid_value', 'request_id', /visible ASCII/],
  ])('refuses %j', async (body, code, param, message) => {
    const limits = { maxEmbeddingInputs: 3, maxInputCharacters: 100, maxEmbeddingTokens: 45 };
    const { url, embedder } = await startEmbeddingServer({}, limits);
    const [status, ...rest] = await refusal(url, '/v1/embeddings', body);
    expect([status, ...rest]).toEqual([400, code, param, expect.stringMatching(message)]);
    expect(embedder.stats().numCalls).toBe(0);
  });
});

describe.each(['/rerank', '/v1/rerank', '/v2/rerank'])('%s', (path) => {
  test('sorts documents by their cosine with the query', async () => {
    const { url } = await startEmbeddingServer();
    const documents = ['a', 'b', { text: 'c' }, 'd', 'b'];
    const json = await postOk(`${url}${path}`, { query: 'q', documents });
    const texts = ['a', 'b', 'c', 'd', 'b'];
    const scores = texts.map((text) => cosine(numbers('q'), numbers(text)));
    const order = texts.map((_, i) => i).sort((i, j) => scores[j]! - scores[i]! || i - j);
    expect(json.results.map(({ index }: Json) => index)).toEqual(order);
    for (const { index, relevance_score, document } of json.results) {
      expect(relevance_score).toBeCloseTo(scores[index]!, 6);
      expect(document).toEqual({ text: texts[index] });
    }
    expect(json).toMatchObject({ model: 'fake-embedder', usage: { prompt_tokens: 18, total_tokens: 18 } });
  });
});

test('rerank takes top_n, return_documents and bounds of tokens', async () => {
  const { url } = await startEmbeddingServer({ maxModelLen: 6 });
  const body = { query: 'q', documents: ['a', 'b', 'c'] };
  expect((await postOk(`${url}/rerank`, { ...body, top_n: 2 })).results).toHaveLength(2);
  expect((await postOk(`${url}/rerank`, { ...body, top_n: 0 })).results).toHaveLength(3);
  expect((await postOk(`${url}/rerank`, { ...body, top_n: 9 })).results).toHaveLength(3);
  const bare = await postOk(`${url}/rerank`, { ...body, return_documents: false });
  expect(Object.keys(bare.results[0]).sort()).toEqual(['index', 'relevance_score']);
  const long = { query: 'qqqqqqqq', documents: ['abcdefgh'] };
  expect(await refusal(url, '/rerank', long)).toEqual([400, 'context_length_exceeded', 'query', expect.any(String)]);
  const cut = await postOk(`${url}/rerank`, { ...long, max_tokens_per_query: 3, max_tokens_per_doc: 4 });
  expect(cut.results[0].relevance_score).toBeCloseTo(cosine(numbers('q'), numbers('ab')), 6);
  expect(cut.usage.prompt_tokens).toBe(7);
});

test.each([
  [{ query: 'q' }, 'documents'],
  [{ documents: ['a'] }, 'query'],
  [{ query: 'q', documents: [] }, 'documents'],
  [{ query: 'q', documents: [{ title: 'x' }] }, 'documents[0].text'],
  [{ query: 'q', documents: ['a'], top_n: -1 }, 'top_n'],
  [{ query: 'q', documents: ['a'], max_chunks_per_doc: 3 }, 'max_chunks_per_doc'],
  [{ query: 'q', documents: ['a'], rank_fields: ['x'] }, 'rank_fields'],
  [{ query: 'q', documents: ['a'], instruction: 'x' }, 'instruction'],
])('rerank refuses %j', async (body, param) => {
  const { url } = await startEmbeddingServer();
  const [status, , blamed] = await refusal(url, '/v1/rerank', body);
  expect([status, blamed]).toEqual([400, param]);
});

describe.each(['/score', '/v1/score'])('%s', (path) => {
  test('compares one text with several, and pairs', async () => {
    const { url } = await startEmbeddingServer();
    const ask = async (body: object) =>
      (await postOk(`${url}${path}`, body)).data.map(({ index, object, score }: Json) => {
        expect(object).toBe('score');
        return [index, score.toFixed(5)];
      });
    const expected = (pairs: readonly string[]) =>
      pairs.map((pair, i) => [i, cosine(numbers(pair[0]!), numbers(pair[1]!)).toFixed(5)]);
    expect(await ask({ text_1: 'a', text_2: 'b' })).toEqual(expected(['ab']));
    expect(await ask({ text_1: 'a', text_2: ['b', 'c', 'a'] })).toEqual(expected(['ab', 'ac', 'aa']));
    expect(await ask({ text_1: ['a', 'b'], text_2: ['c', 'd'] })).toEqual(expected(['ac', 'bd']));
    expect(await ask({ queries: ['a'], documents: ['b', 'c'] })).toEqual(expected(['ab', 'ac']));
    expect(await ask({ queries: 'a', items: 'b' })).toEqual(expected(['ab']));
    expect(await ask({ data_1: 'a', data_2: 'b' })).toEqual(expected(['ab']));
  });
});

test.each([
  [{}, 'text_1', /got no texts/],
  [{ text_1: 'a' }, 'text_1', /got text_1, expected/],
  [{ text_1: 'a', documents: 'b' }, 'text_1', /got text_1, documents/],
  [{ text_1: 'a', text_2: 'b', items: 'c' }, 'text_1', /got text_1, text_2, items/],
  [{ text_1: ['a', 'b'], text_2: 'c' }, 'text_1', /'text_1' has 2 texts and 'text_2' 1/],
  [{ text_1: ['a', 'b'], text_2: ['c', 'd', 'e'] }, 'text_1', /one or as many/],
  [{ text_1: 'a', text_2: [] }, 'text_2', /empty array/],
])('score refuses %j', async (body, param, message) => {
  const { url } = await startEmbeddingServer();
  expect(await refusal(url, '/score', body)).toEqual([400, 'invalid_value', param, expect.stringMatching(message)]);
});

describe('a model by its name', () => {
  const messages = [{ role: 'user', content: 'hi' }];

  test('is found beside one of the other kind', async () => {
    const { url } = await startEmbeddingServer({}, {}, new FakeModel());
    expect((await postOk(`${url}/v1/embeddings`, { model: 'fake-embedder', input: 'a' })).model).toBe('fake-embedder');
    expect((await postOk(`${url}/v1/embeddings`, { input: 'a' })).model).toBe('fake-embedder');
    expect((await postOk(`${url}/v1/chat/completions`, { messages, max_tokens: 1 })).model).toBe('fake');
    expect(await refusal(url, '/v1/embeddings', { model: 'fake', input: 'a' })).toEqual([
      ...[404, 'unsuitable_model', 'model'],
      'model "fake" generates text and has no vectors; use an embedding model: "fake-embedder"',
    ]);
    expect((await refusal(url, '/v1/chat/completions', { model: 'fake-embedder', messages })).slice(0, 3)).toEqual([
      ...[404, 'unsuitable_model', 'model'],
    ]);
    expect(await refusal(url, '/v1/rerank', { model: 'nobody', query: 'q', documents: ['a'] })).toEqual([
      ...[404, 'model_not_found', 'model'],
      'model "nobody" is not served here; ask for "fake-embedder"',
    ]);
    const list = (await (await fetch(`${url}/v1/models`)).json()) as Json;
    expect(list.data.map(({ id, max_model_len }: Json) => [id, max_model_len])).toEqual([
      ['fake', 1000],
      ['fake-embedder', 32],
    ]);
    const one = (await (await fetch(`${url}/v1/models/fake-embedder`)).json()) as Json;
    expect(one).toMatchObject({ id: 'fake-embedder', root: 'fake-embedder', max_model_len: 32 });
  });

  test('is refused where the server has none of its kind', async () => {
    const { url } = await startEmbeddingServer();
    for (const path of ['/v1/chat/completions', '/v1/completions']) {
      expect(await refusal(url, path, { model: 'fake-embedder', messages })).toEqual([
        ...[404, 'unsuitable_model', 'model'],
        'no model of this server generates text, "fake-embedder" turns texts into vectors; use /v1/embeddings',
      ]);
    }
    const { paths } = (await (await fetch(`${url}/openapi.json`)).json()) as Json;
    expect(Object.keys(paths)).toContain('/v1/embeddings');
    expect(Object.keys(paths)).not.toContain('/v1/completions');
  });

  test('of several embedders, each with names of its own', async () => {
    const small = await createFakeEmbedder({ name: 'small', vocabSize: 258, maxModelLen: 8 });
    const embedders = [{ embedder: await createFakeEmbedder(), names: ['one', 'uno'] }, { embedder: small }];
    const { url } = await startEmbeddingServer({}, { embedders });
    expect((await postOk(`${url}/v1/embeddings`, { model: 'uno', input: 'abcdefghij' })).model).toBe('uno');
    expect(await refusal(url, '/v1/embeddings', { model: 'small', input: 'abcdefghij' })).toEqual([
      ...[400, 'context_length_exceeded', 'input', expect.stringContaining('has 12 tokens, but the model takes 8')],
    ]);
  });

  test('must be its own, and there must be one', async () => {
    const embedder = await createFakeEmbedder({ name: 'fake' });
    expect(() => createServer(new FakeModel(), { embedders: [{ embedder }] })).toThrow(/two models are called 'fake'/);
    expect(() => createServer(undefined)).toThrow(/nothing to serve/);
    expect(() => createServer(undefined, { embedders: [{ embedder, names: [] }] })).toThrow(/embedders.names is empty/);
  });

  test('has its own tokenizer', async () => {
    const { url } = await startEmbeddingServer({}, {}, new FakeModel());
    const ask = (body: object) => postOk(`${url}/tokenize`, { prompt: 'ab', ...body });
    expect(await ask({ model: 'fake-embedder' })).toMatchObject({ tokens: [256, 97, 98, 257], max_model_len: 32 });
    expect(await ask({})).toMatchObject({ tokens: [256, 97, 98], max_model_len: 1000 });
    const back = await postOk(`${url}/detokenize`, { model: 'fake-embedder', tokens: [97, 98] });
    expect(back).toEqual({ prompt: 'ab' });
    expect((await refusal(url, '/tokenize', { model: 'fake-embedder', messages })).slice(0, 3)).toEqual([
      ...[400, 'no_chat_template', 'messages'],
    ]);
  });
});

describe('under load', () => {
  test('a full queue is a 429 with retry-after', async () => {
    const gate = createGate();
    const { url, embedder } = await startEmbeddingServer({ control: gate.control, maxQueuedInputs: 2 });
    const many = postOk(`${url}/v1/embeddings`, { input: Array.from({ length: 6 }, (_, i) => `${i}`) });
    await until(() => embedder.stats().numWaiting === 2);
    const response = await post(`${url}/v1/embeddings`, { input: 'a' });
    expect([response.status, response.headers.get('retry-after')]).toEqual([429, '1']);
    expect((await jsonOf(response)).error.code).toBe('queue_full');
    gate.open();
    expect((await many).data).toHaveLength(6);
  });

  test('a client that leaves frees what waits', async () => {
    const gate = createGate();
    const { url, embedder } = await startEmbeddingServer({ control: gate.control });
    const controller = new AbortController();
    const input = Array.from({ length: 9 }, (_, i) => `${i}`);
    const gone = post(`${url}/v1/embeddings`, { input }, {}, controller.signal).catch(() => 'gone');
    await until(() => embedder.stats().numWaiting === 5);
    controller.abort();
    expect(await gone).toBe('gone');
    await until(() => embedder.stats().numWaiting === 0);
    gate.open();
    await until(() => embedder.stats().numRunning === 0);
    expect(embedder.stats().finished).toEqual({ stop: 0, abort: 9, error: 0 });
    embedder.checkIntegrity();
  });

  test('a batch that fails is a 500 that names it, and the server lives on', async () => {
    let shouldFail = true;
    const { url } = await startEmbeddingServer({ control: { fails: () => shouldFail } });
    expect(await refusal(url, '/v1/embeddings', { input: 'a' })).toEqual([
      ...[500, 'batch_failed', null, expect.stringContaining('a batch of 1 sequences and 3 tokens failed')],
    ]);
    shouldFail = false;
    await postOk(`${url}/v1/embeddings`, { input: 'a' });
  });

  test('an administrator can end a request, and sees the embedder', async () => {
    const gate = createGate();
    const { url, embedder } = await startEmbeddingServer({ control: gate.control }, { adminKey: 'admin' });
    const headers = { authorization: 'Bearer admin' };
    const running = post(`${url}/v1/embeddings`, { input: 'a', request_id: 'r1' });
    await until(() => embedder.stats().numRunning === 1);
    const aborted = await jsonOf(await post(`${url}/abort_requests`, { request_ids: ['r1'] }, headers));
    expect(aborted).toEqual({ aborted: ['embd-r1'] });
    expect((await jsonOf(await running)).error.code).toBe('generation_aborted');
    gate.open();
    const info = await jsonOf(await fetch(`${url}/server_info`, { headers }));
    expect(info).toMatchObject({
      ...{ models: ['fake-embedder'], limits: null, stats: null },
      embedders: [{ model: 'fake-embedder', width: WIDTH, limits: { max_model_len: 32 }, numerics_id: 'fake' }],
    });
    expect((await post(`${url}/reset_prefix_cache`, '', headers)).status).toBe(404);
  });

  test('closing waits for what runs', async () => {
    const gate = createGate();
    const { url, embedder, server } = await startEmbeddingServer({ control: gate.control });
    const running = postOk(`${url}/v1/embeddings`, { input: 'a' });
    await until(() => embedder.stats().numRunning === 1);
    const closed = server.close();
    expect((await post(`${url}/v1/embeddings`, { input: 'a' }).catch(() => ({ status: 503 }))).status).toBe(503);
    gate.open();
    expect((await running).data).toHaveLength(1);
    expect(await closed).toEqual({ numAborted: 0 });
  });

  test('keys are wanted', async () => {
    const { url } = await startEmbeddingServer({}, { apiKeys: ['key'] });
    for (const path of ['/v1/embeddings', '/rerank', '/score', '/v1/chat/completions']) {
      expect((await post(`${url}${path}`, {})).status).toBe(401);
    }
    const headers = { authorization: 'Bearer key' };
    expect((await post(`${url}/v1/embeddings`, { input: 'a' }, headers)).status).toBe(200);
  });
});

describe('what is counted and logged', () => {
  test('vLLM’s series have the embedder’s name, beside the language model’s', async () => {
    const { url } = await startEmbeddingServer({}, {}, new FakeModel());
    await postOk(`${url}/v1/embeddings`, { input: ['ab', 'c'] });
    await postOk(`${url}/v1/completions`, { prompt: 'x', max_tokens: 1 });
    const text = await (await fetch(`${url}/metrics`)).text();
    const mine = 'model_name="fake-embedder",engine="0"';
    for (const line of [
      `vllm:prompt_tokens_total{${mine}} 7`,
      `vllm:request_success_total{${mine},finished_reason="stop"} 2`,
      `vllm:e2e_request_latency_seconds_count{${mine}} 2`,
      `vllm:request_prompt_tokens_sum{${mine}} 7`,
      `vllm:iteration_tokens_total_sum{${mine}} 7`,
      `vllm:num_requests_running{${mine}} 0`,
      `vllm:num_requests_waiting{${mine}} 0`,
      `kvasir:embedding_batches_total{${mine}} 1`,
      `kvasir:embedding_batch_sequences_sum{${mine}} 2`,
      'vllm:prompt_tokens_total{model_name="fake",engine="0"} 2',
      'vllm:e2e_request_latency_seconds_count{model_name="fake",engine="0"} 1',
    ]) {
      expect(text).toContain(`${line}\n`);
    }
    expect(text.match(/^# TYPE vllm:prompt_tokens_total /gm)).toHaveLength(1);
  });

  test('an embedder alone has its series, and none of a language model', async () => {
    const { url } = await startEmbeddingServer();
    await refusal(url, '/v1/embeddings', {});
    const text = await (await fetch(`${url}/metrics`)).text();
    const labels = 'model_name="fake-embedder",engine="0",code="missing_required_parameter"';
    expect(text).toContain(`kvasir:requests_refused_total{${labels}} 1\n`);
    expect(text).not.toContain('vllm:kv_cache_usage_perc');
  });

  test('one line of the log has model and tokens, and no text', async () => {
    const lines: string[] = [];
    const logger = { stream: { write: (line: string) => lines.push(line) } };
    const { url } = await startEmbeddingServer({}, { logger });
    await postOk(`${url}/v1/embeddings`, { input: 'secret', user: 'u' });
    await until(() => lines.length > 0);
    const line = JSON.parse(lines.at(-1)!) as Json;
    expect(line).toMatchObject({
      ...{ route: '/v1/embeddings', status: 200, model: 'fake-embedder', user: 'u', promptTokens: 8, finish: 'stop' },
    });
    expect(lines.join('')).not.toContain('secret');
  });
});
