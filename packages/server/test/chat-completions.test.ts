import { NO_SAMPLING_EXTRAS } from '@kvasir/testing';
import { describe, expect, test } from 'vitest';
import { expectIdle, type Json, jsonOf, post, postOk, readEvents, startServer } from './support/client.js';

const reply = () => 'Hello there';
const messages = [{ role: 'user', content: 'hi' }];

describe('a whole answer', () => {
  test('has OpenAI shape, vLLM stop_reason, and counts', async () => {
    const { url, model } = await startServer({ reply });
    const before = Math.floor(Date.now() / 1000);
    const body = await postOk(`${url}/v1/chat/completions`, { model: 'fake', messages });
    expect(body).toEqual({
      id: expect.stringMatching(/^chatcmpl-[0-9a-f]{32}$/),
      object: 'chat.completion',
      created: expect.any(Number),
      model: 'fake',
      choices: [
        {
          index: 0,
          message: { role: 'assistant', content: 'Hello there', refusal: null },
          logprobs: null,
          finish_reason: 'stop',
          stop_reason: null,
        },
      ],
      usage: {
        prompt_tokens: 'user:hi\nassistant:'.length,
        completion_tokens: 12,
        total_tokens: 30,
        prompt_tokens_details: { cached_tokens: 0 },
      },
    });
    expect(body.created).toBeGreaterThanOrEqual(before);
    expectIdle(model);
  });

  test('passes every sampling field on, with OpenAI defaults and the rest of the context', async () => {
    const { url, model } = await startServer({ reply, maxModelLen: 100 });
    await postOk(`${url}/v1/chat/completions`, { messages });
    await postOk(`${url}/v1/chat/completions`, {
      messages,
      temperature: 0,
      top_p: 0.5,
      top_k: 7,
      seed: -2,
      stop: ['x', 'yz'],
      max_completion_tokens: 9,
      min_tokens: 3,
      ignore_eos: true,
      logprobs: true,
      top_logprobs: 5,
      prompt_logprobs: 2,
    });
    expect(model.submitted.map(({ sampling }) => sampling)).toEqual([
      {
        temperature: 1,
        topP: 1,
        topK: 0,
        ...NO_SAMPLING_EXTRAS,
        seed: 42n,
        maxTokens: 100 - 18,
        minTokens: 0,
        stop: [],
        stopTokenIds: [],
        ignoreEos: false,
        logprobs: undefined,
        promptLogprobs: undefined,
      },
      {
        temperature: 0,
        topP: 0.5,
        topK: 7,
        ...NO_SAMPLING_EXTRAS,
        seed: 2n ** 64n - 2n,
        maxTokens: 9,
        minTokens: 3,
        stop: ['x', 'yz'],
        stopTokenIds: [],
        ignoreEos: true,
        logprobs: 5,
        promptLogprobs: 2,
      },
    ]);
  });

  test('null means absent, in every field', async () => {
    const { url } = await startServer({ reply });
    const nulls = Object.fromEntries(
      ['temperature', 'top_p', 'top_k', 'seed', 'stop', 'stream', 'stream_options', 'max_tokens', 'user', 'tools', 'n']
        .concat(['logprobs', 'top_logprobs', 'metadata', 'store', 'logit_bias', 'prompt_cache_key', 'audio', 'model'])
        .map((name) => [name, null]),
    );
    expect((await postOk(`${url}/v1/chat/completions`, { messages, ...nulls })).choices[0].message.content).toBe(
      'Hello there',
    );
  });

  test('a message of an answer can be sent back as clients dump it', async () => {
    const { url, model } = await startServer({ reply });
    const dumped = { refusal: null, annotations: null, audio: null, function_call: null, tool_calls: null };
    const [{ message }] = (await postOk(`${url}/v1/chat/completions`, { messages })).choices;
    for (const assistant of [message, { ...message, ...dumped }, { ...message, annotations: [] }]) {
      await postOk(`${url}/v1/chat/completions`, { messages: [...messages, assistant, ...messages] });
    }
    expectIdle(model);
  });

  test('fields that are not built are accepted when they ask for nothing', async () => {
    const { url } = await startServer({ reply });
    const body = {
      messages,
      n: 1,
      presence_penalty: 0,
      frequency_penalty: 0,
      logit_bias: {},
      tools: [],
      tool_choice: 'none',
      parallel_tool_calls: true,
      response_format: { type: 'text' },
      store: false,
      modalities: ['text'],
      service_tier: 'auto',
      user: 'someone',
      metadata: { team: 'a' },
    };
    expect((await postOk(`${url}/v1/chat/completions`, body)).choices[0].finish_reason).toBe('stop');
  });

  test('text parts are joined, developer is system, names reach the template', async () => {
    const { url, model } = await startServer({ reply });
    await postOk(`${url}/v1/chat/completions`, {
      messages: [
        { role: 'developer', content: 'be brief' },
        {
          role: 'user',
          name: 'Ann',
          content: [
            { type: 'text', text: 'a' },
            { type: 'text', text: 'b' },
          ],
        },
      ],
    });
    expect(model.tokenizer.decode(model.submitted[0]!.promptTokenIds)).toBe(
      'system:be brief\nuserAnn:a\nb\nassistant:',
    );
  });

  test('a stop string ends the answer and is named', async () => {
    const { url } = await startServer({ reply });
    const [choice] = (await postOk(`${url}/v1/chat/completions`, { messages, stop: 't' })).choices;
    expect(choice).toMatchObject({ message: { content: 'Hello ' }, finish_reason: 'stop', stop_reason: 't' });
  });

  test('max_tokens cuts with finish_reason length', async () => {
    const { url } = await startServer({ reply });
    const [choice] = (await postOk(`${url}/v1/chat/completions`, { messages, max_tokens: 4 })).choices;
    expect(choice).toMatchObject({ message: { content: 'Hell' }, finish_reason: 'length', stop_reason: null });
  });

  test('echo repeats the last message when it is the assistant’s', async () => {
    const { url } = await startServer({ reply });
    const prefilled = [...messages, { role: 'assistant', content: 'Well: ' }];
    const content = async (sent: unknown) =>
      (await postOk(`${url}/v1/chat/completions`, { messages: sent, echo: true })).choices[0].message.content;
    expect(await content(prefilled)).toBe('Well: Hello there');
    expect(await content(messages)).toBe('Hello there');
  });

  test('logprobs, prompt_logprobs and token ids have their shapes', async () => {
    const { url } = await startServer({ reply: () => 'é' });
    const body = await postOk(`${url}/v1/chat/completions`, {
      messages: [{ role: 'user', content: '' }],
      logprobs: true,
      top_logprobs: 2,
      prompt_logprobs: 1,
      return_token_ids: true,
    });
    const [choice] = body.choices;
    expect(choice.logprobs.content[0]).toEqual({
      token: '\ufffd',
      logprob: -0.25,
      bytes: [0xc3],
      top_logprobs: [
        { token: '\ufffd', logprob: -0.25, bytes: [0xc3] },
        { token: '\ufffd', logprob: -1, bytes: [0xc4] },
      ],
    });
    expect(choice.logprobs.content).toHaveLength(3);
    expect(choice.token_ids).toEqual([0xc3, 0xa9, 257]);
    expect(body.prompt_token_ids).toEqual([...Buffer.from('user:\nassistant:')]);
    expect(body.prompt_logprobs).toHaveLength(body.prompt_token_ids.length);
    expect(body.prompt_logprobs[0]).toBeNull();
    expect(body.prompt_logprobs[1]).toEqual({ '115': { logprob: -0.25, rank: 1, decoded_token: 's' } });
  });

  test('logprobs true alone reports the chosen tokens only', async () => {
    const { url } = await startServer({ reply });
    const [choice] = (await postOk(`${url}/v1/chat/completions`, { messages, logprobs: true })).choices;
    expect(choice.logprobs.content[0]).toEqual({ token: 'H', logprob: -0.25, bytes: [72], top_logprobs: [] });
  });

  test('the drawn seed is reported and repeats', async () => {
    const { url, model } = await startServer({ reply });
    const first = await post(`${url}/v1/chat/completions`, { messages });
    const seed = first.headers.get('x-kvasir-seed');
    await first.text();
    await postOk(`${url}/v1/chat/completions`, { messages, seed: Number(seed) });
    expect(model.submitted.map(({ sampling }) => sampling.seed)).toEqual([42n, 42n]);
  });
});

describe('a stream', () => {
  test('starts with the role, carries the text, ends with the reason and [DONE]', async () => {
    const { url, model } = await startServer({ reply: () => 'ab' });
    const response = await post(`${url}/v1/chat/completions`, { messages, stream: true });
    expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    const text = await response.clone().text();
    expect(text.endsWith('data: [DONE]\n\n')).toBe(true);
    const events = await readEvents(response);
    expect(events.map((event) => event.choices[0])).toEqual([
      { index: 0, delta: { role: 'assistant', content: '' }, logprobs: null, finish_reason: null },
      { index: 0, delta: { content: 'a' }, logprobs: null, finish_reason: null },
      { index: 0, delta: { content: 'b' }, logprobs: null, finish_reason: null },
      { index: 0, delta: { content: '' }, logprobs: null, finish_reason: 'stop', stop_reason: null },
    ]);
    for (const event of events) {
      expect(event).toMatchObject({ id: events[0].id, object: 'chat.completion.chunk', model: 'fake' });
      expect(event).not.toHaveProperty('usage');
    }
    expectIdle(model);
  });

  test('include_usage adds a last chunk without choices, and null elsewhere', async () => {
    const { url } = await startServer({ reply: () => 'ab' });
    const body = { messages, stream: true, stream_options: { include_usage: true } };
    const events = await readEvents(await post(`${url}/v1/chat/completions`, body));
    expect(events.slice(0, -1).every((event) => event.usage === null)).toBe(true);
    expect(events.at(-1)).toMatchObject({
      choices: [],
      usage: { prompt_tokens: 18, completion_tokens: 3, total_tokens: 21 },
    });
  });

  test.each([
    ['plain', {}],
    ['with log-probabilities and ids', { logprobs: true, top_logprobs: 2, return_token_ids: true }],
    ['cut', { max_tokens: 5 }],
    ['stopped', { stop: ['o t'] }],
  ])('equals the whole answer: %s', async (_name, fields) => {
    const { url } = await startServer({ reply: () => 'Grüße 👩‍🔬 o t \u0000"\\' });
    const whole = await postOk(`${url}/v1/chat/completions`, { messages, ...fields });
    const events = await readEvents(await post(`${url}/v1/chat/completions`, { messages, ...fields, stream: true }));
    const [choice] = whole.choices;
    const parts: Json[] = events.map((event) => event.choices[0]);
    expect(parts.map((part) => part.delta.content).join('')).toBe(choice.message.content);
    expect(parts.at(-1)).toMatchObject({ finish_reason: choice.finish_reason, stop_reason: choice.stop_reason });
    if ('logprobs' in fields) {
      expect(parts.slice(1).flatMap((part) => part.logprobs.content)).toEqual(choice.logprobs.content);
      expect(parts.slice(1).flatMap((part) => part.token_ids)).toEqual(choice.token_ids);
      expect(events[0].prompt_token_ids).toEqual(whole.prompt_token_ids);
    }
  });

  test('never sends half a character', async () => {
    const { url } = await startServer({ reply: () => '日本語😀' });
    const events = await readEvents(await post(`${url}/v1/chat/completions`, { messages, stream: true }));
    const texts = events.map((event) => event.choices[0].delta.content as string);
    expect(texts.filter((text) => text !== '')).toEqual(['日', '本', '語', '😀']);
  });

  test('echo comes as a chunk of its own', async () => {
    const { url } = await startServer({ reply: () => 'b' });
    const body = { messages: [{ role: 'assistant', content: 'a' }], echo: true, stream: true };
    const events = await readEvents(await post(`${url}/v1/chat/completions`, body));
    expect(events.map((event) => event.choices[0].delta.content)).toEqual(['', 'a', 'b', '']);
  });

  test('an error after the first token is an event that ends the stream', async () => {
    const { url, model } = await startServer({ reply, failAt: 3 });
    const response = await post(`${url}/v1/chat/completions`, { messages, stream: true });
    expect(response.status).toBe(200);
    const text = await response.text();
    expect(text).not.toContain('[DONE]');
    const last = JSON.parse(text.trimEnd().split('\n\n').at(-1)!.slice('data: '.length));
    expect(last.error).toEqual({ message: 'step 7 failed', type: 'server_error', param: null, code: 'step_failed' });
    expectIdle(model);
  });

  test('an error before the first token has its status', async () => {
    const { url } = await startServer({ reply, failAt: 0 });
    const response = await post(`${url}/v1/chat/completions`, { messages, stream: true });
    expect(response.status).toBe(500);
    expect((await jsonOf(response)).error.code).toBe('step_failed');
  });
});
