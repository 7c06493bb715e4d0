import { fcParameters } from '@kvasir/testing';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { expectIdle, post, startServer, until } from './support/client.js';

const PATHS = ['/v1/chat/completions', '/v1/completions', '/tokenize', '/detokenize'] as const;

/** Names that some route knows, so that bodies get past the first check. */
const FIELDS = [
  ...['model', 'messages', 'prompt', 'tokens', 'max_tokens', 'max_completion_tokens', 'temperature', 'top_p', 'top_k'],
  ...['seed', 'n', 'stop', 'stream', 'stream_options', 'ignore_eos', 'min_tokens', 'logprobs', 'top_logprobs', 'echo'],
  ...['prompt_logprobs', 'return_token_ids', 'user', 'metadata', 'store', 'tools', 'logit_bias', 'response_format'],
  ...['add_special_tokens', 'return_token_strs', '__proto__', 'constructor', 'toString'],
];

const message = fc.record(
  {
    role: fc.constantFrom('user', 'assistant', 'system', 'developer', 'tool', ''),
    content: fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constant(null),
      fc.array(fc.record({ type: fc.constant('text'), text: fc.string() })),
    ),
    name: fc.string(),
  },
  { requiredKeys: [] },
);

const value = fc.oneof(
  fc.jsonValue({ maxDepth: 3 }),
  fc.integer({ min: -2, max: 20 }),
  fc.double({ min: 0, max: 2 }),
  fc.boolean(),
  fc.string({ unit: 'binary' }),
  fc.array(message, { maxLength: 3 }),
  fc.array(fc.integer({ min: -1, max: 260 }), { maxLength: 5 }),
  fc.constantFrom(null, 1e308, -0, '', 'fake', [['']], [[0], [1]]),
);

/** Fields whose values are mostly right. */
const nearlyRight = fc.record(
  {
    temperature: fc.double({ min: 0, max: 2.1, noNaN: true }),
    top_k: fc.integer({ min: -2, max: 300 }),
    seed: fc.maxSafeInteger(),
    stop: fc.oneof(fc.string(), fc.array(fc.string({ minLength: 1 }))),
    stream: fc.boolean(),
    max_tokens: fc.integer({ min: 0, max: 20 }),
    min_tokens: fc.nat(3),
    ignore_eos: fc.boolean(),
    echo: fc.boolean(),
    return_token_ids: fc.boolean(),
    prompt_logprobs: fc.nat(3),
    n: fc.integer({ min: 1, max: 3 }),
    min_p: fc.double({ min: 0, max: 1, noNaN: true }),
    presence_penalty: fc.double({ min: -2, max: 2, noNaN: true }),
    logit_bias: fc.dictionary(fc.constantFrom('1', '97', '300'), fc.double({ noNaN: true, noDefaultInfinity: true })),
    stop_token_ids: fc.array(fc.nat(257), { maxLength: 3 }),
    bad_words: fc.array(fc.string({ minLength: 1 }), { maxLength: 2 }),
    truncate_prompt_tokens: fc.integer({ min: -1, max: 5 }),
    request_id: fc.constantFrom('r1', 'r2'),
    return_tokens_as_token_ids: fc.boolean(),
    user: fc.string(),
  },
  { requiredKeys: [] },
);

/** A route, and a body that it might well accept. */
const plausible = fc.oneof(
  fc.tuple(
    fc.constant(PATHS[0]),
    fc.record({ messages: fc.array(message, { minLength: 1, maxLength: 2 }) }),
    nearlyRight,
  ),
  fc.tuple(
    fc.constant(PATHS[1]),
    fc.record({
      prompt: fc.oneof(
        fc.string(),
        fc.array(fc.string(), { minLength: 1, maxLength: 3 }),
        fc.array(fc.nat(257), { minLength: 1 }),
      ),
    }),
    nearlyRight,
  ),
  fc.tuple(fc.constant(PATHS[2]), fc.record({ prompt: fc.string() }), fc.constant({})),
  fc.tuple(fc.constant(PATHS[3]), fc.record({ tokens: fc.array(fc.nat(257)) }), fc.constant({})),
);

const request = fc.oneof(
  plausible.map(([path, base, extra]) => [path, { ...base, ...extra }] as const),
  fc.tuple(fc.constantFrom(...PATHS), fc.jsonValue()),
  fc.tuple(fc.constantFrom(...PATHS), fc.dictionary(fc.constantFrom(...FIELDS), value)),
  fc
    .tuple(plausible, fc.constantFrom(...FIELDS), value)
    .map(([[path, base, extra], name, broken]) => [path, { ...base, ...extra, [name]: broken }] as const),
);

test('no JSON body gives a 500, hangs, or leaves anything behind', async () => {
  const { url, model } = await startServer({ reply: (prompt) => prompt.slice(0, 5) });
  const seen = new Map<number, number>();
  await fc.assert(
    fc.asyncProperty(request, async ([path, body]) => {
      const response = await post(`${url}${path}`, JSON.stringify(body));
      const text = await response.text();
      seen.set(response.status, (seen.get(response.status) ?? 0) + 1);
      expect([200, 400, 404]).toContain(response.status);
      if (response.status !== 200) expect(JSON.parse(text).error.message).toBeTypeOf('string');
      else if (text.startsWith('data: ')) expect(text.endsWith('data: [DONE]\n\n')).toBe(true);
      else JSON.parse(text);
      await until(() => model.stats().numRunning === 0);
      expectIdle(model);
    }),
    fcParameters(200),
  );
  // A generator that drifts away from valid bodies would test nothing.
  expect(seen.get(200) ?? 0).toBeGreaterThan(10);
  expect(seen.get(400) ?? 0).toBeGreaterThan(10);
});

test('no bytes as a body give a 500', async () => {
  const { url, model } = await startServer();
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...PATHS), fc.uint8Array({ maxLength: 50 }), async (path, bytes) => {
      const response = await post(`${url}${path}`, bytes);
      await response.text();
      expect(response.status).toBe(400);
    }),
    fcParameters(100),
  );
  expect(model.submitted).toEqual([]);
});
