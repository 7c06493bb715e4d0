import { describe, expect, test } from 'vitest';
import { expectIdle, type Json, jsonOf, post, postOk, readEvents, startServer } from './support/client.js';

const CHAT = '/v1/chat/completions';
const COMPLETIONS = '/v1/completions';
const messages = [{ role: 'user', content: 'hi' }];
const reply = (prompt: string) => prompt.slice(0, 3);

/** What the engine was asked for one body. */
async function submitted(path: string, body: object, options: Parameters<typeof startServer>[0] = {}) {
  const { url, model } = await startServer({ reply, ...options });
  await postOk(url + path, body);
  return model.submitted[0]!;
}

/** Message and parameter of a refusal. */
async function refusal(path: string, body: object, serverOptions: Parameters<typeof startServer>[1] = {}) {
  const { url, model } = await startServer({ reply }, serverOptions);
  const response = await post(url + path, body);
  expect(response.status).toBe(400);
  expect(model.submitted).toEqual([]);
  const { message, param } = (await jsonOf(response)).error;
  return [param, message];
}

describe('sampling fields', () => {
  test('reach the engine', async () => {
    const { sampling } = await submitted(CHAT, {
      messages,
      min_p: 0.1,
      typical_p: 0.9,
      repetition_penalty: 1.2,
      presence_penalty: -0.5,
      frequency_penalty: 2,
      logit_bias: { '5': 3.5, '7': -1000 },
      allowed_token_ids: [1, 2, 1],
      stop_token_ids: [10, 11],
    });
    expect(sampling).toMatchObject({
      minP: 0.1,
      typicalP: 0.9,
      repetitionPenalty: 1.2,
      presencePenalty: -0.5,
      frequencyPenalty: 2,
      logitBias: new Map([
        [5, 3.5],
        [7, -100],
      ]),
      allowedTokenIds: [1, 2],
      stopTokenIds: [10, 11],
    });
  });

  test('absent, they are what the model asks for', async () => {
    const defaultSampling = { temperature: 0.6, topP: 0.9, topK: 20, minP: 0.05, repetitionPenalty: 1.1, maxTokens: 7 };
    for (const [path, body] of [
      [CHAT, { messages }],
      [COMPLETIONS, { prompt: 'x' }],
    ] as const) {
      expect((await submitted(path, body, { defaultSampling })).sampling).toMatchObject(defaultSampling);
      const given = { temperature: 1, top_p: 1, top_k: 0, min_p: 0, repetition_penalty: 1, max_tokens: 9 };
      expect((await submitted(path, { ...body, ...given }, { defaultSampling })).sampling).toMatchObject({
        temperature: 1,
        topP: 1,
        topK: 0,
        minP: 0,
        repetitionPenalty: 1,
        maxTokens: 9,
      });
    }
  });

  test('bad words are banned at the start and after a space', async () => {
    // One token a byte: a space before the word is one token more, so that only one form is another word of the same length.
    const { sampling } = await submitted(CHAT, { messages, bad_words: [' ab', 'c'] });
    expect(sampling.badWords).toEqual([[97, 98], [99]]);
  });

  test.each([
    [{ presence_penalty: 2.5 }, 'presence_penalty', "'presence_penalty' is 2.5, expected a number from -2 to 2"],
    [{ min_p: 1.5 }, 'min_p', "'min_p' is 1.5, expected a number from 0 to 1"],
    [{ typical_p: 0 }, 'typical_p', "'typical_p' is 0, expected a number above 0 and up to 1"],
    [{ logit_bias: { x: 1 } }, 'logit_bias.x', `'logit_bias.x' is "x", expected a token id from 0 to 257 as the key`],
    [
      { logit_bias: { 258: 1 } },
      'logit_bias.258',
      `'logit_bias.258' is "258", expected a token id from 0 to 257 as the key`,
    ],
    [{ logit_bias: { 5: 'a' } }, 'logit_bias.5', `'logit_bias.5' is "a", expected a number`],
    [
      { logit_bias: [] },
      'logit_bias',
      `'logit_bias' is an empty array, expected an object of token ids and numbers, like {"50256": -100}`,
    ],
    [
      { logit_bias: Object.fromEntries(Array.from({ length: 2049 }, (_, i) => [i, 1])) },
      'logit_bias',
      "'logit_bias' has 2049 keys, expected at most 2048; send fewer",
    ],
    [
      { allowed_token_ids: [] },
      'allowed_token_ids',
      "'allowed_token_ids' is an empty array, expected an array of at least one token id; leave it out to allow every token",
    ],
    [
      { allowed_token_ids: [258] },
      'allowed_token_ids[0]',
      "'allowed_token_ids[0]' is 258, expected a token id from 0 to 257",
    ],
    [
      { stop_token_ids: [1, 'a'] },
      'stop_token_ids[1]',
      `'stop_token_ids[1]' is "a", expected a token id from 0 to 257`,
    ],
    [{ bad_words: ['  '] }, 'bad_words[0]', `'bad_words[0]' is "  ", expected a word that is not only white space`],
    [
      { bad_words: Array(129).fill('x') },
      'bad_words',
      "'bad_words' is an array of 129, expected at most 128 words; send fewer",
    ],
    [{ n: 129 }, 'n', "'n' is 129, expected an integer from 1 to 128"],
    [{ n: 0 }, 'n', "'n' is 0, expected an integer from 1 to 128"],
    [
      { length_penalty: 2 },
      'length_penalty',
      "'length_penalty' is 2 although 'use_beam_search' is not true; set use_beam_search to true or leave length_penalty out",
    ],
    [
      { truncate_prompt_tokens: 0 },
      'truncate_prompt_tokens',
      "'truncate_prompt_tokens' is 0, expected at least 1, or -1 for what fits",
    ],
    [{ truncation_side: 'middle' }, 'truncation_side', `'truncation_side' is "middle", expected one of left, right`],
    [{ request_id: 'a b' }, 'request_id', `'request_id' is "a b", expected 1 to 128 visible ASCII characters`],
    [{ cache_salt: '' }, 'cache_salt', `'cache_salt' is "", expected a string that is not empty`],
  ])('%j is refused', async (fields, param, message) => {
    for (const [path, body] of [
      [CHAT, { messages }],
      [COMPLETIONS, { prompt: 'x' }],
    ] as const) {
      expect(await refusal(path, { ...body, ...fields })).toEqual([param, message]);
    }
  });
});

describe('fields of the request', () => {
  test('that say nothing are not passed on', async () => {
    const request = await submitted(CHAT, {
      messages,
      n: 1,
      use_beam_search: false,
      length_penalty: 1,
      skip_special_tokens: true,
      include_stop_str_in_output: false,
    });
    expect(Object.keys(request)).toEqual(['requestId', 'promptTokenIds', 'sampling']);
  });

  test('reach the engine', async () => {
    const fields = { n: 3, priority: -4, cache_salt: 'team', timeout_ms: 5000, skip_special_tokens: false };
    const request = await submitted(CHAT, {
      messages,
      ...fields,
      spaces_between_special_tokens: false,
      include_stop_str_in_output: true,
    });
    expect(request).toMatchObject({
      n: 3,
      priority: -4,
      cacheSalt: 'team',
      timeoutMs: 5000,
      skipSpecialTokens: false,
      spacesBetweenSpecialTokens: false,
      includeStopInOutput: true,
    });
  });

  test('best_of and beam search reach the engine', async () => {
    expect(await submitted(COMPLETIONS, { prompt: 'x', n: 2, best_of: 5 })).toMatchObject({ n: 2, bestOf: 5 });
    expect(await submitted(COMPLETIONS, { prompt: 'x', n: 2, best_of: 2 })).not.toHaveProperty('bestOf');
    const beam = { n: 2, use_beam_search: true, length_penalty: 0.5, early_stopping: true };
    expect(await submitted(CHAT, { messages, ...beam })).toMatchObject({
      n: 2,
      beam: { width: 2, lengthPenalty: 0.5, earlyStopping: true },
    });
  });

  test('best_of below n, or beside beams, is refused', async () => {
    expect(await refusal(COMPLETIONS, { prompt: 'x', n: 3, best_of: 2 })).toEqual([
      'best_of',
      "'best_of' is 2, expected at least 'n', which is 3; raise it or lower n",
    ]);
    const [param] = await refusal(COMPLETIONS, { prompt: 'x', n: 2, best_of: 3, use_beam_search: true });
    expect(param).toBe('best_of');
  });

  test('request_id names the answer, and may be used again at the same time', async () => {
    const { url, model } = await startServer({ reply });
    const body = { prompt: 'x', request_id: 'mine' };
    const both = await Promise.all([postOk(url + COMPLETIONS, body), postOk(url + COMPLETIONS, body)]);
    expect(both.map(({ id }) => id)).toEqual(['cmpl-mine', 'cmpl-mine']);
    expect(new Set(model.submitted.map(({ requestId }) => requestId)).size).toBe(2);
  });

  test.each([
    [{ truncate_prompt_tokens: 3 }, 'ef\n'],
    [{ truncate_prompt_tokens: 3, truncation_side: 'right' }, 'use'],
    [{ truncate_prompt_tokens: 500 }, 'user:abcdef\n'],
    [{ truncate_prompt_tokens: -1, max_tokens: 12 }, 'f\n'],
  ])('a prompt is cut: %j', async (fields, kept) => {
    const request = await submitted(
      CHAT,
      { messages: [{ role: 'user', content: 'abcdef' }], add_generation_prompt: false, ...fields },
      { maxModelLen: 14 },
    );
    expect(String.fromCharCode(...request.promptTokenIds)).toBe(kept);
  });

  test('echo of a cut prompt is what the model saw', async () => {
    const { url } = await startServer({ reply: () => '!' });
    const body = { prompt: 'abc', echo: true, truncate_prompt_tokens: 2, max_tokens: 1 };
    expect((await postOk(url + COMPLETIONS, body)).choices[0].text).toBe('bc!');
  });

  test('add_special_tokens', async () => {
    const first = async (path: string, body: object) => (await submitted(path, body)).promptTokenIds[0];
    expect(await first(COMPLETIONS, { prompt: 'x', add_special_tokens: false })).toBe(120);
    expect(await first(CHAT, { messages, add_special_tokens: true })).toBe(256);
  });
});

describe('several choices', () => {
  test('of several prompts are numbered prompt by prompt, and counted together', async () => {
    const { url, model } = await startServer({ reply: (prompt) => prompt });
    const { choices, usage } = await postOk(url + COMPLETIONS, { prompt: ['a', 'b'], n: 2, return_token_ids: true });
    expect(choices.map((choice: Json) => [choice.index, choice.text])).toEqual([
      [0, 'a'],
      [1, 'aa'],
      [2, 'b'],
      [3, 'bb'],
    ]);
    expect(usage).toMatchObject({ prompt_tokens: 4, completion_tokens: 10, total_tokens: 14 });
    expectIdle(model);
  });

  test('of a chat end each in their own way', async () => {
    const { url } = await startServer({ reply: () => 'ab' });
    const { choices } = await postOk(url + CHAT, { messages, n: 3, max_tokens: 4 });
    expect(choices.map((choice: Json) => [choice.index, choice.message.content, choice.finish_reason])).toEqual([
      [0, 'ab', 'stop'],
      [1, 'abab', 'length'],
      [2, 'abab', 'length'],
    ]);
  });

  test.each([
    ['a chat', CHAT, { messages, n: 3 }],
    ['completions', COMPLETIONS, { prompt: ['é', 'b'], n: 2 }],
    ['completions with echo', COMPLETIONS, { prompt: ['é', 'b'], n: 2, echo: true, logprobs: 1 }],
  ])('a stream of %s equals the whole answer', async (_name, path, fields) => {
    const { url, model } = await startServer({ reply: (prompt) => `${prompt.slice(0, 2)}!` });
    const whole = await postOk(url + path, { ...fields, return_token_ids: true });
    const events = await readEvents(
      await post(url + path, {
        ...fields,
        return_token_ids: true,
        stream: true,
        stream_options: { include_usage: true },
      }),
    );
    expect(events.at(-1)).toMatchObject({ choices: [], usage: whole.usage });
    for (const choice of whole.choices) {
      const parts: Json[] = events.flatMap((event) =>
        event.choices.filter((part: Json) => part.index === choice.index),
      );
      const said = parts.map((part) => part.text ?? part.delta.content).join('');
      expect(said).toBe(choice.text ?? choice.message.content);
      expect(parts.flatMap((part) => part.token_ids ?? [])).toEqual(choice.token_ids);
      expect(parts.at(-1).finish_reason).toBe(choice.finish_reason);
      if (path === CHAT) expect(parts[0].delta.role).toBe('assistant');
      if ('logprobs' in fields) {
        expect(parts.flatMap((part) => part.logprobs.tokens)).toEqual(choice.logprobs.tokens);
        expect(parts.flatMap((part) => part.logprobs.token_logprobs)).toEqual(choice.logprobs.token_logprobs);
      }
    }
    expectIdle(model);
  });

  test('a client that leaves ends all of them', async () => {
    const { url, model } = await startServer({ reply: () => 'x'.repeat(500) });
    const abort = new AbortController();
    const response = await post(url + CHAT, { messages, n: 4, stream: true }, {}, abort.signal);
    await response.body!.getReader().read();
    abort.abort();
    await expect.poll(() => model.stats().numFreeBlocks).toBe(model.stats().numBlocks);
  });
});

describe('what is reported', () => {
  test('continuous_usage_stats: every chunk has the usage so far', async () => {
    const { url } = await startServer({ reply: () => 'ab' });
    for (const [path, body, promptTokens, first] of [
      [CHAT, { messages }, 18, 0],
      [COMPLETIONS, { prompt: 'x' }, 2, 1],
    ] as const) {
      const stream_options = { include_usage: true, continuous_usage_stats: true };
      const events = await readEvents(await post(url + path, { ...body, stream: true, stream_options }));
      const counts = events.map(({ usage }) => usage.completion_tokens as number);
      expect(counts).toEqual(counts.toSorted((a, b) => a - b));
      expect([counts[0], counts.at(-1)]).toEqual([first, 3]);
      expect(events.every(({ usage }) => usage.prompt_tokens === promptTokens)).toBe(true);
    }
  });

  test('return_tokens_as_token_ids: tokens are named by id', async () => {
    const { url } = await startServer({ reply: () => 'é' });
    const chat = { messages, logprobs: true, top_logprobs: 1, prompt_logprobs: 0, return_tokens_as_token_ids: true };
    const body = await postOk(url + CHAT, chat);
    expect(body.choices[0].logprobs.content[0]).toMatchObject({ token: 'token_id:195', bytes: [0xc3] });
    expect(body.choices[0].logprobs.content[0].top_logprobs[0].token).toBe('token_id:195');
    const completion = { prompt: 'x', logprobs: 2, return_tokens_as_token_ids: true };
    const [choice] = (await postOk(url + COMPLETIONS, completion)).choices;
    expect(choice.logprobs.tokens).toEqual(['token_id:195', 'token_id:169', 'token_id:257']);
    expect(Object.keys(choice.logprobs.top_logprobs[0])).toEqual(['token_id:195', 'token_id:196']);
  });

  test('stop_reason is the token that stopped it, and EOS names nothing', async () => {
    const { url } = await startServer({ reply: () => 'abc' });
    const ask = async (fields: object) => (await postOk(url + COMPLETIONS, { prompt: 'x', ...fields })).choices[0];
    expect(await ask({ stop_token_ids: [98] })).toMatchObject({ text: 'a', finish_reason: 'stop', stop_reason: 98 });
    expect(await ask({})).toMatchObject({ text: 'abc', finish_reason: 'stop', stop_reason: null });
    expect(await ask({ stop: 'bc', include_stop_str_in_output: true })).toMatchObject({
      text: 'abc',
      stop_reason: 'bc',
    });
  });

  test('a stop string across token borders never shows in a stream', async () => {
    const { url } = await startServer({ reply: () => 'ab<|end|>cd' });
    const body = { prompt: 'x', stop: '<|end|>', max_tokens: 50, stream: true };
    const events = await readEvents(await post(url + COMPLETIONS, body));
    expect(events.map((event) => event.choices[0].text).join('')).toBe('ab');
    expect(events.at(-1).choices[0]).toMatchObject({ finish_reason: 'stop', stop_reason: '<|end|>' });
  });
});
