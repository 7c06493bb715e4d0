import { describe, expect, test } from 'vitest';
import { expectIdle, jsonOf, post, postOk, sendRaw, startServer, type TestServer, until } from './support/client.js';

/** The middle is V8's, which differs by version. */
const NOT_JSON = /^the body is not JSON: .+; correct its syntax$/;
const CHAT = '/v1/chat/completions';
const COMPLETIONS = '/v1/completions';
const messages = [{ role: 'user', content: 'hi' }];
const jsonType = { 'content-type': 'application/json' };

/** Path, body, status, `param`, message. */
type BadBody = readonly [path: string, body: unknown, status: number, param: string | null, message: string | RegExp];

const chat = (fields: object, param: string | null, message: string, status = 400): BadBody => [
  CHAT,
  { messages, ...fields },
  status,
  param,
  message,
];
const completion = (fields: object, param: string | null, message: string, status = 400): BadBody => [
  COMPLETIONS,
  { prompt: 'x', ...fields },
  status,
  param,
  message,
];
const message = (value: unknown, param: string, text: string): BadBody => [
  CHAT,
  { messages: [value] },
  400,
  param,
  text,
];
const roles = 'expected one of system, developer, user, assistant';

const BAD_BODIES: readonly BadBody[] = [
  // Not JSON, or not an object.
  [CHAT, '', 400, null, 'the body is empty, expected a JSON object; send {...}'],
  [CHAT, '   ', 400, null, 'the body is empty, expected a JSON object; send {...}'],
  [CHAT, '{"messages": [', 400, null, NOT_JSON],
  [CHAT, '{"messages": [}', 400, null, NOT_JSON],
  [CHAT, "{'messages': []}", 400, null, NOT_JSON],
  [CHAT, '{"a": NaN}', 400, null, NOT_JSON],
  [CHAT, Uint8Array.of(0x22, 0xff, 0x22), 400, null, 'the body is not valid UTF-8; encode it as UTF-8'],
  [CHAT, Uint8Array.of(0x22, 0xed, 0xa0, 0x80, 0x22), 400, null, 'the body is not valid UTF-8; encode it as UTF-8'],
  [
    CHAT,
    '[]',
    400,
    null,
    'the body is an empty array, expected a JSON object; send {...} with content-type application/json',
  ],
  [CHAT, 'null', 400, null, 'the body is null, expected a JSON object; send {...} with content-type application/json'],
  [CHAT, '"hi"', 400, null, 'the body is "hi", expected a JSON object; send {...} with content-type application/json'],
  [
    CHAT,
    `{"messages":${'['.repeat(40)}${']'.repeat(40)}}`,
    400,
    null,
    'the body nests deeper than 32 levels; flatten it',
  ],
  [CHAT, '['.repeat(100_000), 400, null, 'the body nests deeper than 32 levels; flatten it'],

  // Messages.
  [CHAT, {}, 400, 'messages', "'messages' is missing, expected an array of at least one message; add it"],
  [CHAT, { messages: [] }, 400, 'messages', "'messages' is an empty array, expected an array of at least one message"],
  [CHAT, { messages: 'hi' }, 400, 'messages', `'messages' is "hi", expected an array of at least one message`],
  message('hi', 'messages[0]', `'messages[0]' is "hi", expected a JSON object`),
  message({ content: 'x' }, 'messages[0].role', `'messages[0].role' is missing, ${roles}; add it`),
  message({ role: 'robot', content: 'x' }, 'messages[0].role', `'messages[0].role' is "robot", ${roles}`),
  message(
    { role: 'tool', content: 'x', tool_call_id: 'c' },
    'messages[0].role',
    `'messages[0].role' is "tool", ${roles}`,
  ),
  message({ role: 7, content: 'x' }, 'messages[0].role', `'messages[0].role' is 7, expected a string`),
  message(
    { role: 'user' },
    'messages[0].content',
    "'messages[0].content' is missing, expected a string or an array of text parts; add it",
  ),
  message(
    { role: 'assistant', content: null },
    'messages[0].content',
    "'messages[0].content' is missing, expected a string or an array of text parts; add it",
  ),
  message(
    { role: 'user', content: 5 },
    'messages[0].content',
    "'messages[0].content' is 5, expected a string or an array of text parts",
  ),
  message(
    { role: 'user', content: [] },
    'messages[0].content',
    "'messages[0].content' is an empty array, expected a string or an array of text parts",
  ),
  message(
    { role: 'user', content: ['a'] },
    'messages[0].content[0]',
    `'messages[0].content[0]' is "a", expected an object like {"type": "text", "text": "..."}`,
  ),
  message(
    { role: 'user', content: [{ type: 'image_url', image_url: { url: 'x' } }] },
    'messages[0].content[0].type',
    `'messages[0].content[0].type' is "image_url", but this server reads text parts only; send {"type": "text", "text": "..."}`,
  ),
  message(
    { role: 'user', content: [{ type: 'text' }] },
    'messages[0].content[0].text',
    "'messages[0].content[0].text' is missing, expected a string; add it",
  ),
  message(
    { role: 'user', content: 'x', contents: 'y' },
    'messages[0].contents',
    `field "contents" in 'messages[0]' is not known; did you mean 'content'?`,
  ),
  message(
    { role: 'assistant', content: 'x', tool_calls: [{}] },
    'messages[0].tool_calls',
    "'messages[0].tool_calls' is an array of 1, which this server does not support; send [] or leave it out",
  ),
  message(
    { role: 'user', content: 'a\ud800b' },
    'messages[0].content',
    "'messages[0].content' has half a surrogate pair at index 1, expected whole characters; cut text between characters",
  ),
  message({ role: 'user', content: 'raise' }, null as never, 'roles must alternate'),

  // Sampling.
  chat({ temperature: -0.1 }, 'temperature', "'temperature' is -0.1, expected a number from 0 to 2"),
  chat({ temperature: 2.1 }, 'temperature', "'temperature' is 2.1, expected a number from 0 to 2"),
  chat({ temperature: '1' }, 'temperature', `'temperature' is "1", expected a number from 0 to 2`),
  chat(
    { top_p: 0 },
    'top_p',
    "'top_p' is 0, expected a number above 0 and up to 1; use temperature 0 for greedy output",
  ),
  chat(
    { top_p: 1.5 },
    'top_p',
    "'top_p' is 1.5, expected a number above 0 and up to 1; use temperature 0 for greedy output",
  ),
  chat({ top_k: -2 }, 'top_k', "'top_k' is -2, expected an integer from -1 to 2147483647"),
  chat({ top_k: 1.5 }, 'top_k', "'top_k' is 1.5, expected an integer from -1 to 2147483647"),
  [
    CHAT,
    '{"messages":[{"role":"user","content":"x"}],"seed":1e300}',
    400,
    'seed',
    "'seed' is 1e+300, expected an integer from -9007199254740991 to 9007199254740991",
  ],
  chat({ max_tokens: 0 }, 'max_tokens', "'max_tokens' is 0, expected an integer of at least 1"),
  chat({ max_tokens: -5 }, 'max_tokens', "'max_tokens' is -5, expected an integer of at least 1"),
  chat(
    { max_completion_tokens: 1.5 },
    'max_completion_tokens',
    "'max_completion_tokens' is 1.5, expected an integer of at least 1",
  ),
  chat(
    { max_tokens: 3, max_completion_tokens: 4 },
    'max_tokens',
    "'max_tokens' is 3 and 'max_completion_tokens' is 4, expected one of them or equal values",
  ),
  chat(
    { min_tokens: 5, max_tokens: 4 },
    'min_tokens',
    "'min_tokens' is 5, expected at most the 4 tokens that may be generated; lower it",
  ),
  chat({ stop: '' }, 'stop', `'stop' is "", expected a string that is not empty`),
  chat({ stop: ['a', 3] }, 'stop[1]', "'stop[1]' is 3, expected a string that is not empty"),
  chat({ stop: Array(65).fill('x') }, 'stop', "'stop' is an array of 65, expected at most 64 strings; send fewer"),
  chat(
    { stop: 'x'.repeat(2000) },
    'stop',
    `'stop' is "${'x'.repeat(40)}"..., expected at most 1024 characters, got 2000; shorten it`,
  ),
  chat({ ignore_eos: 'yes' }, 'ignore_eos', `'ignore_eos' is "yes", expected true or false`),
  chat({ logprobs: 5 }, 'logprobs', "'logprobs' is 5, expected true or false"),
  chat(
    { top_logprobs: 2 },
    'top_logprobs',
    "'top_logprobs' is 2 although 'logprobs' is not true; set logprobs to true or leave top_logprobs out",
  ),
  chat({ logprobs: true, top_logprobs: 65 }, 'top_logprobs', "'top_logprobs' is 65, expected an integer from 0 to 64"),
  chat({ prompt_logprobs: -1 }, 'prompt_logprobs', "'prompt_logprobs' is -1, expected an integer from 0 to 64"),
  chat(
    { prompt_logprobs: 1, stream: true },
    'prompt_logprobs',
    "'prompt_logprobs' cannot be streamed; set stream to false or leave prompt_logprobs out",
  ),

  // Streaming.
  chat({ stream: 'true' }, 'stream', `'stream' is "true", expected true or false`),
  chat(
    { stream_options: {} },
    'stream_options',
    "'stream_options' is given although 'stream' is not true; set stream to true or leave stream_options out",
  ),
  chat(
    { stream: true, stream_options: { include_usages: true } },
    'stream_options.include_usages',
    `field "include_usages" in 'stream_options' is not known; did you mean 'include_usage'?`,
  ),
  chat(
    { stream: true, stream_options: { include_obfuscation: true } },
    'stream_options.include_obfuscation',
    "'stream_options.include_obfuscation' is true, which this server does not support; send false or leave it out",
  ),

  // Known and not built.
  chat(
    { tools: [{ type: 'function' }] },
    'tools',
    "'tools' is an array of 1, which this server does not support; send [] or leave it out",
  ),
  chat(
    { tool_choice: 'required' },
    'tool_choice',
    `'tool_choice' is "required", which this server does not support; send "none" or "auto" or leave it out`,
  ),
  chat(
    { response_format: { type: 'json_object' } },
    'response_format',
    `'response_format' is an object, which this server does not support; send {"type": "text"} or leave it out`,
  ),
  chat(
    { reasoning_effort: 'high' },
    'reasoning_effort',
    `'reasoning_effort' is "high", which this server does not support; send "none" or leave it out`,
  ),
  chat(
    { modalities: ['text', 'audio'] },
    'modalities',
    `'modalities' is an array of 2, which this server does not support; send ["text"] or leave it out`,
  ),
  chat({ audio: {} }, 'audio', "'audio' is an object, which this server does not support; leave it out"),
  chat({ store: true }, 'store', "'store' is true, but this server stores nothing; send false or leave it out"),
  completion(
    { suffix: 'end' },
    'suffix',
    `'suffix' is "end", which this server does not support; send "" or leave it out`,
  ),

  // Unknown.
  chat({ temprature: 1 }, 'temprature', `field "temprature" is not known; did you mean 'temperature'?`),
  chat({ zzzzzz: 1 }, 'zzzzzz', `field "zzzzzz" is not known; leave it out`),
  [
    CHAT,
    '{"messages":[{"role":"user","content":"x"}],"__proto__":{"stream":true}}',
    400,
    '__proto__',
    'field "__proto__" is not known; leave it out',
  ],
  completion({ messages }, 'messages', `field "messages" is not known; leave it out`),
  completion(
    { max_completion_tokens: 4 },
    'max_completion_tokens',
    `field "max_completion_tokens" is not known; leave it out`,
  ),

  // Logged fields.
  chat({ user: 5 }, 'user', "'user' is 5, expected a string"),
  chat({ metadata: { a: 1 } }, 'metadata.a', "'metadata.a' is 1, expected a string"),

  // Model.
  chat({ model: 'gpt-4o' }, 'model', `model "gpt-4o" is not served here; ask for "fake"`, 404),
  chat({ model: 3 }, 'model', "'model' is 3, expected a string"),

  // Prompts.
  [
    COMPLETIONS,
    {},
    400,
    'prompt',
    "'prompt' is missing, expected a string, token ids, or a non-empty array of either; add it",
  ],
  completion(
    { prompt: [] },
    'prompt',
    "'prompt' is an empty array, expected a string, token ids, or a non-empty array of either",
  ),
  completion({ prompt: 5 }, 'prompt', "'prompt' is 5, expected a string, token ids, or a non-empty array of either"),
  completion({ prompt: [1, 'a'] }, 'prompt[1]', `'prompt[1]' is "a", expected a token id from 0 to 257`),
  completion(
    { prompt: ['a', 1] },
    'prompt[1]',
    "'prompt[1]' is 1, expected a string or a non-empty array of token ids",
  ),
  completion({ prompt: [258] }, 'prompt[0]', "'prompt[0]' is 258, expected a token id from 0 to 257"),
  completion({ prompt: [-1] }, 'prompt[0]', "'prompt[0]' is -1, expected a token id from 0 to 257"),
  completion({ prompt: [[1], [2.5]] }, 'prompt[1][0]', "'prompt[1][0]' is 2.5, expected a token id from 0 to 257"),
  completion(
    { prompt: Array(129).fill('x') },
    'prompt',
    "'prompt' is an array of 129, expected at most 128 prompts; send fewer",
  ),
  completion(
    { max_tokens: 0 },
    'max_tokens',
    "'max_tokens' is 0, expected at least 1; 0 is for echo only, which returns the prompt alone",
  ),
  completion({ logprobs: true }, 'logprobs', "'logprobs' is true, expected an integer from 0 to 64"),
  completion({ logprobs: 65 }, 'logprobs', "'logprobs' is 65, expected an integer from 0 to 64"),
  completion(
    { prompt: 'x'.repeat(999) },
    'prompt',
    "'prompt' has 1000 tokens, but the model's context holds 1000 with at least 1 of output; shorten it by 1",
  ),
  completion(
    { prompt: ['a', 'x'.repeat(1500)] },
    'prompt[1]',
    "'prompt[1]' has 1501 tokens, but the model's context holds 1000 with at least 1 of output; shorten it by 502",
  ),
  completion(
    { max_tokens: 999 },
    'prompt',
    "'prompt' has 2 tokens and 999 of output are asked for, together 1001, but the model's context holds 1000; shorten it or ask for at most 998",
  ),
  chat(
    { max_tokens: 983 },
    'messages',
    "'messages' has 18 tokens and 983 of output are asked for, together 1001, but the model's context holds 1000; shorten it or ask for at most 982",
  ),
  chat(
    { messages: [{ role: 'user', content: 'x'.repeat(2000) }] },
    'messages',
    "'messages' has 2016 tokens, but the model's context holds 1000 with at least 1 of output; shorten it by 1017",
  ),

  // Tokens.
  ['/tokenize', {}, 400, 'prompt', "got neither of 'prompt' and 'messages', expected one of them"],
  ['/tokenize', { prompt: 'x', messages }, 400, 'prompt', "got both of 'prompt' and 'messages', expected one of them"],
  ['/tokenize', { prompt: ['x'] }, 400, 'prompt', "'prompt' is an array of 1, expected a string"],
  [
    '/tokenize',
    { prompt: 'x', add_generation_prompt: true },
    400,
    'add_generation_prompt',
    "'add_generation_prompt' has no meaning for a 'prompt'; leave it out or send 'messages'",
  ],
  ['/tokenize', { prompt: 'x', model: 'other' }, 404, 'model', `model "other" is not served here; ask for "fake"`],
  ['/detokenize', {}, 400, 'tokens', "'tokens' is missing, expected an array of token ids; add it"],
  ['/detokenize', { tokens: 'x' }, 400, 'tokens', `'tokens' is "x", expected an array of token ids`],
  [
    '/detokenize',
    { tokens: [1, 1e9] },
    400,
    'tokens[1]',
    "'tokens[1]' is 1000000000, expected a token id from 0 to 257",
  ],
  ['/detokenize', { tokens: [1], token: 2 }, 400, 'token', `field "token" is not known; did you mean 'tokens'?`],
];

/** Whatever came before, the server answers and holds nothing. */
async function expectUnharmed({ url, model }: TestServer): Promise<void> {
  await until(() => model.engine.stats().numRunning === 0);
  expectIdle(model);
  expect((await postOk(`${url}${COMPLETIONS}`, { prompt: 'ab', max_tokens: 5 })).choices[0].text).toBe('ba');
  await until(() => model.engine.stats().numRunning === 0);
  expectIdle(model);
}

describe('bodies', () => {
  test('the table is large enough', () => expect(BAD_BODIES.length).toBeGreaterThan(100));

  test('each has its status and message, in OpenAI form, and harms nothing', async () => {
    const server = await startServer();
    for (const [path, body, status, param, text] of BAD_BODIES) {
      const response = await post(`${server.url}${path}`, body);
      const { error, ...rest } = await jsonOf(response);
      expect(response.headers.get('content-type')).toBe('application/json; charset=utf-8');
      expect({ status: response.status, ...error }).toEqual({
        status,
        message: typeof text === 'string' ? text : expect.stringMatching(text),
        type: 'invalid_request_error',
        param,
        code: expect.stringMatching(/^[a-z][a-z0-9_]+$/),
      });
      expect(rest).toEqual({});
    }
    expect(server.model.submitted).toEqual([]);
    await expectUnharmed(server);
  });

  test('a text that no tokens could make fit is refused before it is tokenized', async () => {
    const server = await startServer({ maxModelLen: 100 });
    server.model.tokenizer.encode = () => {
      throw new Error('tokenized');
    };
    for (const [path, body, param] of [
      [COMPLETIONS, { prompt: 'x'.repeat(2000) }, 'prompt'],
      [COMPLETIONS, { prompt: ['é'.repeat(1601)] }, 'prompt'],
      ['/tokenize', { prompt: 'x'.repeat(2000) }, 'prompt'],
      [CHAT, { messages: [{ role: 'user', content: 'x'.repeat(2000) }] }, 'messages'],
    ] as const) {
      const response = await post(`${server.url}${path}`, body);
      const { error } = await jsonOf(response);
      expect([response.status, error.param, error.code]).toEqual([400, param, 'context_length_exceeded']);
      expect(error.message).toMatch(
        /has \d+ bytes of text, but the model's context of 100 tokens cannot hold more than 400/,
      );
    }
  });

  test('chat without a template says so', async () => {
    const server = await startServer({ chatTemplate: undefined });
    for (const path of [CHAT, '/tokenize']) {
      const response = await post(`${server.url}${path}`, { messages });
      expect([response.status, (await jsonOf(response)).error]).toEqual([
        400,
        {
          message: 'model "fake" has no chat template, so it cannot take messages; use /v1/completions with a prompt',
          type: 'invalid_request_error',
          param: 'messages',
          code: 'no_chat_template',
        },
      ]);
    }
    await expectUnharmed(server);
  });

  test('too large is a 413', async () => {
    const server = await startServer({}, { maxBodyBytes: 1000 });
    const response = await post(`${server.url}${CHAT}`, { messages: [{ role: 'user', content: 'x'.repeat(2000) }] });
    expect([response.status, (await jsonOf(response)).error]).toEqual([
      413,
      {
        message: expect.stringContaining('too large'),
        type: 'invalid_request_error',
        param: null,
        code: 'body_too_large',
      },
    ]);
    await expectUnharmed(server);
  });
});

describe('headers and routes', () => {
  test.each([
    ['GET', '/v1/nothing', {}, 404, 'there is no GET "/v1/nothing"; check the path'],
    ['POST', '/v1/nothing', jsonType, 404, 'there is no POST "/v1/nothing"; check the path'],
    [
      'POST',
      '/v1/embeddings',
      jsonType,
      404,
      'no model of this server turns texts into vectors, "fake" generates text; ask a server with an embedding model',
    ],
    ['GET', CHAT, {}, 405, '/v1/chat/completions does not take GET; use POST'],
    ['QUERY', CHAT, {}, 405, '/v1/chat/completions does not take QUERY; use POST'],
    ['QUERY', '/nowhere', {}, 404, 'there is no QUERY "/nowhere"; check the path'],
    ['DELETE', '/v1/models', {}, 405, '/v1/models does not take DELETE; use GET or HEAD'],
    ['POST', '/v1/models/x', jsonType, 405, '/v1/models/x does not take POST; use GET or HEAD'],
    ['GET', '/v1/models/x', {}, 404, 'model "x" is not served here; ask for "fake"'],
    ['GET', '/v1/%ff', {}, 400, 'the path of the URL is not valid percent-encoding; encode it as UTF-8 bytes'],
    [
      'POST',
      CHAT,
      { 'content-type': 'text/plain' },
      415,
      'content-type is text/plain, expected application/json; send JSON',
    ],
    ['POST', CHAT, { 'content-type': '' }, 415, 'content-type is , expected application/json; send JSON'],
    [
      'POST',
      CHAT,
      { 'content-type': 'application/x-www-form-urlencoded' },
      415,
      'content-type is application/x-www-form-urlencoded, expected application/json; send JSON',
    ],
    [
      'POST',
      CHAT,
      { 'content-type': 'application/json; charset=latin1' },
      415,
      'charset is latin1, expected utf-8; encode the body as UTF-8',
    ],
    [
      'POST',
      CHAT,
      { ...jsonType, 'content-encoding': 'gzip' },
      415,
      'content-encoding is gzip, expected none; send the body as it is',
    ],
  ])('%s %s %j', async (method, path, headers, status, text) => {
    const server = await startServer();
    const body = method === 'POST' ? JSON.stringify({ messages }) : null;
    const response = await fetch(`${server.url}${path}`, { method, headers: headers as Record<string, string>, body });
    expect([response.status, (await jsonOf(response)).error.message]).toEqual([status, text]);
    if (status === 405)
      expect(response.headers.get('allow')).toBe(text.slice(text.indexOf('use ') + 4).replace(' or ', ', '));
    await expectUnharmed(server);
  });

  test.each([
    [
      'no content-type',
      `POST ${CHAT} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}`,
      415,
      'content-type is missing, expected application/json; add the header',
    ],
    [
      'no body',
      `POST ${CHAT} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n\r\n`,
      400,
      'the body is empty, expected a JSON object; send {...}',
    ],
    [
      'headers too large',
      `GET /health HTTP/1.1\r\nhost: x\r\nx-big: ${'x'.repeat(20_000)}\r\n\r\n`,
      431,
      'the headers are larger than the server accepts; send fewer or shorter ones',
    ],
    [
      'not HTTP',
      'hello\r\n\r\n',
      400,
      'this is not a well-formed HTTP/1.1 request; check the request line and the headers',
    ],
    [
      'a bad content-length',
      `POST ${CHAT} HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n`,
      400,
      'this is not a well-formed HTTP/1.1 request; check the request line and the headers',
    ],
    [
      'both lengths',
      `POST ${CHAT} HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n{}`,
      400,
      'this is not a well-formed HTTP/1.1 request; check the request line and the headers',
    ],
  ])('%s', async (_name, raw, status, text) => {
    const server = await startServer();
    const answer = await sendRaw(server.url, raw);
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    const { error } = JSON.parse(answer.slice(answer.indexOf('\r\n\r\n') + 4));
    expect(error).toMatchObject({ message: text, type: 'invalid_request_error', param: null });
    await expectUnharmed(server);
  });

  test('a request that does not arrive in time is a 408', async () => {
    const server = await startServer({}, { requestTimeoutMs: 50 });
    const answer = await sendRaw(
      server.url,
      `POST ${CHAT} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 20\r\n\r\n{`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 408 /);
  });
});
