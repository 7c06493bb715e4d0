import { describe, expect, test } from 'vitest';
import { served } from '../../setup/served.js';
import { fieldsOf } from './fields-of-types.js';

const { baseURL, model, embeddingModel } = served();

/** What is done with a field: values that work or ask for nothing, and values that are refused by its name. */
interface Treatment {
  readonly taken?: readonly unknown[];
  readonly refused?: readonly unknown[];
  /** Sent beside it. */
  readonly beside?: object;
}

const tool = { type: 'function', function: { name: 'f', parameters: {} } };
/** Ends an answer that nothing else limits. */
const SOON = { stop: [' ', '.', '\n'] };
const SHARED: Readonly<Record<string, Treatment>> = {
  model: { taken: [model] },
  frequency_penalty: { taken: [0.5, null], refused: [3] },
  logit_bias: { taken: [{ '5': -100 }, {}, null], refused: [{ x: 1 }] },
  max_tokens: { beside: SOON, taken: [2, null], refused: [-1] },
  n: { taken: [2, null], refused: [0] },
  presence_penalty: { taken: [-0.5, null], refused: [3] },
  seed: { taken: [7, null], refused: [0.5] },
  stop: { taken: ['x', ['x', 'y'], null], refused: [''] },
  stream: { taken: [true, false, null], refused: ['yes'] },
  stream_options: {
    beside: { stream: true },
    taken: [
      { include_usage: true },
      { include_usage: true, continuous_usage_stats: true },
      { include_obfuscation: false },
    ],
    refused: [{ include_obfuscation: true }],
  },
  temperature: { taken: [0.5, null], refused: [9] },
  top_p: { taken: [0.5, null], refused: [2] },
  user: { taken: ['ada'], refused: [1] },
};

const CHAT: Readonly<Record<string, Treatment>> = {
  ...SHARED,
  messages: { taken: [[{ role: 'user', content: 'Hi' }]], refused: [[]] },
  audio: { taken: [null], refused: [{ voice: 'alloy', format: 'mp3' }] },
  function_call: { taken: ['none', 'auto'], refused: [{ name: 'f' }] },
  functions: { taken: [[]], refused: [[{ name: 'f' }]] },
  logprobs: { taken: [true, false, null], refused: [1] },
  max_completion_tokens: { beside: { max_tokens: null, ...SOON }, taken: [2, null], refused: [0] },
  metadata: { taken: [{ a: 'b' }, null], refused: [{ a: 1 }] },
  modalities: { taken: [['text'], null], refused: [['text', 'audio']] },
  moderation: { taken: [null], refused: [{ model: 'omni-moderation-latest' }] },
  parallel_tool_calls: { taken: [true, false], refused: ['yes'] },
  prediction: { taken: [null], refused: [{ type: 'content', content: 'x' }] },
  prompt_cache_key: { taken: ['key', null], refused: [1] },
  prompt_cache_options: { taken: [{}], refused: [{ mode: 'explicit' }] },
  prompt_cache_retention: { taken: ['in_memory', null], refused: ['24h'] },
  reasoning_effort: { taken: ['none', null], refused: ['high'] },
  response_format: {
    taken: [{ type: 'text' }],
    refused: [{ type: 'json_object' }, { type: 'json_schema', json_schema: { name: 'x', schema: {} } }],
  },
  safety_identifier: { taken: ['id', null], refused: [1] },
  service_tier: { taken: ['auto', 'default', null], refused: ['flex', 'priority'] },
  store: { taken: [false, null], refused: [true] },
  tool_choice: { taken: ['none', 'auto'], refused: ['required'] },
  tools: { taken: [[]], refused: [[tool]] },
  top_logprobs: { beside: { logprobs: true }, taken: [2, 0, null], refused: [-1] },
  verbosity: { taken: ['medium', null], refused: ['high'] },
  web_search_options: { taken: [null], refused: [{}] },
};

const COMPLETION: Readonly<Record<string, Treatment>> = {
  ...SHARED,
  prompt: { taken: ['a', ['a', 'b'], [1, 2], [[1], [2, 3]]], refused: [[]] },
  best_of: { taken: [2, null], refused: [0] },
  echo: { taken: [true, false, null], refused: [1] },
  logprobs: { taken: [2, 0, null], refused: [-1] },
  suffix: { taken: ['', null], refused: ['end'] },
};

const EMBEDDING: Readonly<Record<string, Treatment>> = {
  input: { taken: ['a', ['a', 'b'], [1, 2], [[1], [2, 3]]], refused: [[], 1] },
  model: { taken: [embeddingModel] },
  dimensions: { taken: [8, null], refused: [0, 100_000] },
  encoding_format: { taken: ['float', 'base64', null], refused: ['int8'] },
  user: { taken: ['ada'], refused: [1] },
};

const routes = [
  {
    route: 'chat/completions',
    fields: fieldsOf('chat/completions/completions.d.ts', 'ChatCompletionCreateParamsBase'),
    treatments: CHAT,
    base: { model, messages: [{ role: 'user', content: 'Hi' }], max_tokens: 1 },
  },
  {
    route: 'completions',
    fields: fieldsOf('completions.d.ts', 'CompletionCreateParamsBase'),
    treatments: COMPLETION,
    base: { model, prompt: 'Hi', max_tokens: 1 },
  },
  {
    route: 'embeddings',
    fields: fieldsOf('embeddings.d.ts', 'EmbeddingCreateParams'),
    treatments: EMBEDDING,
    base: { model: embeddingModel, input: 'Hi' },
  },
];

async function send(route: string, body: object) {
  const response = await fetch(`${baseURL}/${route}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return { status: response.status, text: await response.text() };
}

describe.each(routes)('$route', ({ route, fields, treatments, base }) => {
  test('has a row here for every field of the reference', () => {
    expect(Object.keys(treatments).toSorted()).toEqual(fields.toSorted());
  });

  test.each(fields)('%s works, asks for nothing, or is refused by name', async (field) => {
    const { taken = [], refused = [], beside = {} } = treatments[field] ?? {};
    expect(taken.length + refused.length).toBeGreaterThan(0);
    const body = { ...base, ...beside };
    for (const value of taken) {
      const { status, text } = await send(route, { ...body, [field]: value });
      expect(status, `${field}: ${JSON.stringify(value)}: ${text}`).toBe(200);
    }
    for (const value of refused) {
      const { status, text } = await send(route, { ...body, [field]: value });
      expect(status, `${field}: ${JSON.stringify(value)}: ${text}`).toBe(400);
      const { error } = JSON.parse(text);
      expect(error.param, text).toMatch(new RegExp(`^${field}(\\.|\\[|$)`));
      expect(error.message).toContain(field);
      expect(error.code).toMatch(/^(unsupported_parameter|invalid_value)$/);
    }
  });
});

test('fields of stream_options and of messages are known', async () => {
  const chat = (fields: object) => ({ ...routes[0]!.base, ...fields });
  const file = 'chat/completions/completions.d.ts';
  for (const name of fieldsOf(file, 'ChatCompletionStreamOptions')) {
    const { text } = await send('chat/completions', chat({ stream: true, stream_options: { [name]: null } }));
    expect(text).not.toContain('unknown_parameter');
  }
  for (const role of ['system', 'developer', 'user', 'assistant']) {
    const interfaceName = `ChatCompletion${role[0]!.toUpperCase()}${role.slice(1)}MessageParam`;
    for (const name of fieldsOf(file, interfaceName)) {
      const message = { role, content: 'Hi', ...(name === 'role' || name === 'content' ? {} : { [name]: null }) };
      const { status, text } = await send('chat/completions', chat({ messages: [message] }));
      expect(status, `${role}.${name}: ${text}`).toBe(200);
    }
  }
});
