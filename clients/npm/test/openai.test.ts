import OpenAI, { APIError, BadRequestError, NotFoundError } from 'openai';
import { describe, expect, onTestFinished, test } from 'vitest';
import { startFullServer } from '../../setup/full-server.js';
import { metric, served } from '../../setup/served.js';

const { url, baseURL, model, embeddingModel } = served();
const client = new OpenAI({ baseURL, apiKey: 'none', maxRetries: 0 });
const messages = [{ role: 'user' as const, content: 'Name three colours.' }];
const greedy = { model, messages, temperature: 0, max_completion_tokens: 24 };

/** What `promise` was refused with. */
async function refusal(promise: Promise<unknown>): Promise<APIError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof APIError)) throw new Error(`expected an APIError, got ${error}`);
  return error;
}

describe('chat completions', () => {
  test('answer', async () => {
    const completion = await client.chat.completions.create(greedy);
    expect(completion.object).toBe('chat.completion');
    expect(completion.model).toBe(model);
    expect(completion._request_id).toMatch(/^\S+$/);
    const [choice] = completion.choices;
    expect(choice!.message).toMatchObject({ role: 'assistant', content: expect.stringMatching(/\w/), refusal: null });
    expect(choice!.finish_reason).toBe('length');
    const usage = completion.usage!;
    expect(usage.completion_tokens).toBe(24);
    expect(usage.total_tokens).toBe(usage.prompt_tokens + 24);
    expect(usage.prompt_tokens_details!.cached_tokens).toBeLessThan(usage.prompt_tokens);
  });

  test('stream the same text, with roles, an end and the usage', async () => {
    const whole = await client.chat.completions.create(greedy);
    const stream = await client.chat.completions.create({
      ...greedy,
      stream: true,
      stream_options: { include_usage: true },
    });
    const chunks = [];
    for await (const chunk of stream) chunks.push(chunk);
    expect(chunks[0]!.choices[0]!.delta).toEqual({ role: 'assistant', content: '' });
    const text = chunks.map(({ choices }) => choices[0]?.delta.content ?? '').join('');
    expect(text).toBe(whole.choices[0]!.message.content);
    expect(chunks.flatMap(({ choices }) => choices[0]?.finish_reason ?? [])).toEqual(['length']);
    expect(chunks.slice(0, -1).every(({ usage }) => usage === null)).toBe(true);
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { completion_tokens: 24 } });
  });

  test('come as events of the stream helper', async () => {
    const runner = client.chat.completions.stream({ ...greedy, stream_options: { include_usage: true } });
    const deltas: string[] = [];
    runner.on('content', (delta, snapshot) => {
      deltas.push(delta);
      expect(snapshot).toBe(deltas.join(''));
    });
    const final = await runner.finalChatCompletion();
    expect(await runner.finalContent()).toBe(deltas.join(''));
    expect(final.choices[0]).toMatchObject({ finish_reason: 'length', message: { role: 'assistant' } });
    expect((await runner.totalUsage()).completion_tokens).toBe(24);
  });

  test('are parsed by the helper where plain text was asked for', async () => {
    const completion = await client.chat.completions.parse({
      ...greedy,
      max_completion_tokens: 200,
      stop: '\n',
      response_format: { type: 'text' },
    });
    expect(completion.choices[0]!.message.parsed).toBeNull();
    expect(completion.choices[0]!.message.content).toMatch(/\w/);
  });

  test('report log-probabilities', async () => {
    const completion = await client.chat.completions.create({ ...greedy, logprobs: true, top_logprobs: 2 });
    const { content } = completion.choices[0]!.logprobs!;
    expect(content).toHaveLength(24);
    const bytes = Uint8Array.from(content!.flatMap((token) => token.bytes!));
    expect(new TextDecoder().decode(bytes)).toBe(completion.choices[0]!.message.content);
    for (const { logprob, top_logprobs } of content!) {
      expect(top_logprobs.map((top) => top.logprob)).toContain(logprob);
      expect(top_logprobs).toHaveLength(2);
    }
  });

  test('of several choices repeat with their seed', async () => {
    const draw = { model, messages, n: 3, seed: 7, temperature: 1, max_completion_tokens: 12 };
    const texts = async () =>
      (await client.chat.completions.create(draw)).choices.map(({ message }) => message.content);
    const first = await texts();
    expect(new Set(first).size).toBeGreaterThan(1);
    expect(await texts()).toEqual(first);
  });

  test('read content parts and the developer role', async () => {
    const { choices } = await client.chat.completions.create({
      ...greedy,
      messages: [
        { role: 'developer', content: [{ type: 'text', text: 'Answer briefly.' }] },
        {
          role: 'user',
          name: 'Ada',
          content: [
            { type: 'text', text: 'Name three' },
            { type: 'text', text: 'colours.' },
          ],
        },
      ],
    });
    expect(choices[0]!.message.content).toMatch(/\w/);
  });

  test('take fields of vLLM beside those that are typed', async () => {
    const body = { ...greedy, top_k: 5, min_p: 0.1, stop_token_ids: [2], return_token_ids: true };
    const { choices } = await client.chat.completions.create(body);
    expect((choices[0] as unknown as { token_ids: number[] }).token_ids).toHaveLength(24);
  });

  test('end on the server when the client leaves', async () => {
    const running = () => metric(url, 'vllm:num_requests_running');
    const stream = await client.chat.completions.create({
      model,
      messages,
      stream: true,
      ...{ ignore_eos: true, max_tokens: 4000 },
    });
    for await (const chunk of stream) {
      if (chunk.choices[0]?.delta.content) break;
    }
    await expect.poll(running, { timeout: 10_000 }).toBe(0);
  });
});

describe('completions', () => {
  test('of several prompts, with echo', async () => {
    const prompt = ['One two three', 'A B C'];
    const completion = await client.completions.create({ model, prompt, echo: true, max_tokens: 4, temperature: 0 });
    expect(completion.choices.map(({ index }) => index)).toEqual([0, 1]);
    for (const [i, { text, finish_reason }] of completion.choices.entries()) {
      expect([text.startsWith(prompt[i]!), text.length > prompt[i]!.length, finish_reason]).toEqual([
        true,
        true,
        'length',
      ]);
    }
    expect(completion.usage!.completion_tokens).toBe(8);
  });

  test('stream the same text', async () => {
    const body = { model, prompt: 'Once upon a time', max_tokens: 16, temperature: 0 };
    const whole = await client.completions.create(body);
    let text = '';
    for await (const { choices } of await client.completions.create({ ...body, stream: true }))
      text += choices[0]!.text;
    expect(text).toBe(whole.choices[0]!.text);
  });

  test('report log-probabilities', async () => {
    const { choices } = await client.completions.create({
      model,
      prompt: 'Hello',
      logprobs: 2,
      max_tokens: 3,
      temperature: 0,
    });
    const { tokens, token_logprobs, top_logprobs, text_offset } = choices[0]!.logprobs!;
    for (const list of [tokens, token_logprobs, top_logprobs, text_offset]) expect(list).toHaveLength(3);
    expect(tokens!.join('')).toBe(choices[0]!.text);
  });
});

describe('models', () => {
  test('are listed and told one by one', async () => {
    const ids = [];
    for await (const each of client.models.list()) ids.push(each.id);
    expect(ids).toEqual([model, embeddingModel]);
    expect((await client.models.retrieve(model)).object).toBe('model');
  });
});

describe('errors', () => {
  test('are of the classes that the client knows, and name the field', async () => {
    const badValue = await refusal(client.chat.completions.create({ ...greedy, temperature: 9 }));
    expect(badValue).toBeInstanceOf(BadRequestError);
    expect(badValue).toMatchObject({ status: 400, param: 'temperature', type: 'invalid_request_error' });
    expect(badValue.requestID).toMatch(/^\S+$/);
    const format = { type: 'json_schema' as const, json_schema: { name: 'x', schema: {} } };
    expect(await refusal(client.chat.completions.parse({ ...greedy, response_format: format }))).toMatchObject({
      status: 400,
      param: 'response_format',
      code: 'unsupported_parameter',
    });
    expect(await refusal(client.chat.completions.create({ ...greedy, model: 'gpt-0' }))).toBeInstanceOf(NotFoundError);
  });

  test('429 is tried again, after what retry-after says', async () => {
    const full = await startFullServer();
    onTestFinished(async () => void (await full.stop()));
    const answers: { status: number; retryAfter: string | null }[] = [];
    const patient = new OpenAI({
      baseURL: `${full.url}/v1`,
      apiKey: 'none',
      maxRetries: 3,
      fetch: async (input, init) => {
        const response = await fetch(input, init);
        answers.push({ status: response.status, retryAfter: response.headers.get('retry-after') });
        if (response.status === 429) await full.makeRoom();
        return response;
      },
    });
    const completion = await patient.chat.completions.create({ ...greedy, max_completion_tokens: 4 });
    expect(completion.usage!.completion_tokens).toBe(4);
    expect(answers[0]).toEqual({ status: 429, retryAfter: expect.stringMatching(/^[1-9]\d*$/) });
    expect(answers.at(-1)!.status).toBe(200);
  });
});
