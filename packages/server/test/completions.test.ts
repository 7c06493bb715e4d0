import { describe, expect, test } from 'vitest';
import { expectIdle, type Json, post, postOk, readEvents, startServer } from './support/client.js';

const reply = (prompt: string) => `${prompt}!`;

describe('a whole answer', () => {
  test('has OpenAI shape and 16 tokens by default', async () => {
    const { url, model } = await startServer({ reply: () => 'abcdefghijklmnopqrstuvwxyz' });
    const body = await postOk(`${url}/v1/completions`, { model: 'fake', prompt: 'Say' });
    expect(body).toEqual({
      id: expect.stringMatching(/^cmpl-[0-9a-f]{32}$/),
      object: 'text_completion',
      created: expect.any(Number),
      model: 'fake',
      choices: [{ index: 0, text: 'abcdefghijklmnop', logprobs: null, finish_reason: 'length', stop_reason: null }],
      usage: { prompt_tokens: 4, completion_tokens: 16, total_tokens: 20, prompt_tokens_details: { cached_tokens: 0 } },
    });
    expectIdle(model);
  });

  test.each([
    ['a string', 'ab', ['ab!']],
    ['strings', ['ab', 'c'], ['ab!', 'c!']],
    ['token ids', [97, 98], ['ab!']],
    ['lists of token ids', [[97, 98], [99]], ['ab!', 'c!']],
    ['a list of one', ['ab'], ['ab!']],
  ])('takes a prompt as %s', async (_name, prompt, texts) => {
    const { url, model } = await startServer({ reply });
    const { choices, usage } = await postOk(`${url}/v1/completions`, { prompt });
    expect(choices.map((choice: Json) => [choice.index, choice.text])).toEqual(texts.map((text, i) => [i, text]));
    const counted = model.submitted.reduce((sum, request) => sum + request.promptTokenIds.length, 0);
    expect(usage.prompt_tokens).toBe(counted);
    expectIdle(model);
  });

  test('long prompts leave the event loop a turn between them, short ones do not', async () => {
    const { url, model } = await startServer({ reply: () => '', maxModelLen: 40_000 });
    const { tokenizer } = model;
    const encode = tokenizer.encode.bind(tokenizer);
    let turn = 0;
    const turns: number[] = [];
    tokenizer.encode = (...args) => {
      turns.push(turn);
      setImmediate(() => turn++);
      return encode(...args);
    };
    const ask = async (length: number) => {
      turns.length = 0;
      await postOk(`${url}/v1/completions`, { prompt: Array.from({ length: 4 }, () => 'x'.repeat(length)) });
      return new Set(turns).size;
    };
    expect([await ask(30_000), await ask(100)]).toEqual([4, 1]);
    expectIdle(model);
  });

  test('text gets BOS, token ids are taken as they are', async () => {
    const { url, model } = await startServer({ reply });
    await postOk(`${url}/v1/completions`, { prompt: 'a' });
    await postOk(`${url}/v1/completions`, { prompt: [97] });
    expect(model.submitted.map(({ promptTokenIds }) => [...promptTokenIds])).toEqual([[256, 97], [97]]);
  });

  test('prompts without a seed get different ones, a given seed is used for all', async () => {
    const { url, model } = await startServer({ reply });
    await postOk(`${url}/v1/completions`, { prompt: ['a', 'a'] });
    await postOk(`${url}/v1/completions`, { prompt: ['a', 'a'], seed: 5 });
    expect(model.submitted.map(({ sampling }) => sampling.seed)).toEqual([42n, 43n, 5n, 5n]);
  });

  test('the default of 16 tokens shrinks to what the context has left', async () => {
    const { url, model } = await startServer({ reply, maxModelLen: 10 });
    await postOk(`${url}/v1/completions`, { prompt: 'abcdef' });
    expect(model.submitted[0]!.sampling.maxTokens).toBe(3);
  });

  test('logprobs in OpenAI shape: top by text, offsets in code points', async () => {
    const { url } = await startServer({ reply: () => 'aé' });
    const [choice] = (await postOk(`${url}/v1/completions`, { prompt: 'x', logprobs: 1, max_tokens: 3 })).choices;
    expect(choice.logprobs).toEqual({
      text_offset: [0, 1, 2],
      token_logprobs: [-0.25, -0.25, -0.25],
      tokens: ['a', '\ufffd', '\ufffd'],
      top_logprobs: [{ a: -0.25 }, { '\ufffd': -0.25 }, { '\ufffd': -0.25 }],
    });
  });

  test('logprobs 0 reports the chosen token', async () => {
    const { url } = await startServer({ reply });
    const [choice] = (await postOk(`${url}/v1/completions`, { prompt: 'x', logprobs: 0, max_tokens: 1 })).choices;
    expect(choice.logprobs.top_logprobs).toEqual([{ x: -0.25 }]);
  });

  test('echo puts the prompt first, with its log-probabilities', async () => {
    const { url } = await startServer({ reply: () => 'zz' });
    const body = { prompt: 'ab', echo: true, logprobs: 1, max_tokens: 1 };
    const [choice] = (await postOk(`${url}/v1/completions`, body)).choices;
    expect(choice.text).toBe('abz');
    expect(choice.logprobs.tokens).toEqual(['<s>', 'a', 'b', 'z']);
    expect(choice.logprobs.token_logprobs).toEqual([null, -0.25, -0.25, -0.25]);
    expect(choice.logprobs.top_logprobs[0]).toBeNull();
    expect(choice).not.toHaveProperty('prompt_logprobs');
  });

  test('echo with max_tokens 0 is the prompt alone', async () => {
    const { url } = await startServer({ reply });
    const body = { prompt: [104, 105], echo: true, logprobs: 0, max_tokens: 0, return_token_ids: true };
    const { choices, usage } = await postOk(`${url}/v1/completions`, body);
    expect(choices[0]).toMatchObject({
      text: 'hi',
      finish_reason: 'length',
      token_ids: [],
      prompt_token_ids: [104, 105],
    });
    expect(choices[0].logprobs.tokens).toEqual(['h', 'i']);
    expect(usage.completion_tokens).toBe(0);
  });

  test('prompt_logprobs and token ids come with each choice', async () => {
    const { url } = await startServer({ reply });
    const body = { prompt: ['a', 'b'], prompt_logprobs: 0, return_token_ids: true, max_tokens: 1 };
    const { choices } = await postOk(`${url}/v1/completions`, body);
    expect(choices[1]).toEqual({
      index: 1,
      text: 'b',
      logprobs: null,
      finish_reason: 'length',
      stop_reason: null,
      prompt_logprobs: [null, { '98': { logprob: -0.25, rank: 1, decoded_token: 'b' } }],
      prompt_token_ids: [256, 98],
      token_ids: [98],
    });
  });
});

describe('a stream', () => {
  test.each([
    ['plain', { prompt: ['Grüße', 'b😀', [99]] }],
    ['with all extras', { prompt: ['é', 'b'], echo: true, logprobs: 2, return_token_ids: true }],
    ['the prompt alone', { prompt: 'hello', echo: true, logprobs: 1, return_token_ids: true, max_tokens: 0 }],
    ['without log-probabilities', { prompt: ['é', 'b'], echo: true, return_token_ids: true, max_tokens: 2 }],
  ])('equals the whole answer: %s', async (_name, fields) => {
    const { url, model } = await startServer({ reply });
    const whole = await postOk(`${url}/v1/completions`, fields);
    const streamed = { ...fields, stream: true, stream_options: { include_usage: true } };
    const events = await readEvents(await post(`${url}/v1/completions`, streamed));
    expect(events.at(-1).usage).toEqual(whole.usage);
    for (const choice of whole.choices) {
      const parts = events.flatMap((event) => event.choices.filter((part: Json) => part.index === choice.index));
      expect(parts.map((part: Json) => part.text).join('')).toBe(choice.text);
      expect(parts.at(-1)).toMatchObject({ finish_reason: choice.finish_reason, stop_reason: choice.stop_reason });
      if ('return_token_ids' in fields) {
        expect(parts[0].prompt_token_ids).toEqual(choice.prompt_token_ids);
        expect(parts.flatMap((part: Json) => part.token_ids)).toEqual(choice.token_ids);
      }
      if ('logprobs' in fields) {
        for (const key of ['tokens', 'token_logprobs', 'top_logprobs']) {
          expect(parts.flatMap((part: Json) => part.logprobs[key])).toEqual(choice.logprobs[key]);
        }
      }
    }
    expectIdle(model);
  });

  test('choices of several prompts come as they are made', async () => {
    const { url } = await startServer({ reply: () => 'abc' });
    const events = await readEvents(await post(`${url}/v1/completions`, { prompt: ['x', 'y'], stream: true }));
    const order = events.map((event) => event.choices[0].index);
    expect(order.slice(0, 4).toSorted()).toEqual([0, 0, 1, 1]);
  });
});
