import { createHash } from 'node:crypto';
import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, test } from 'vitest';
import { createServer } from '../src/index.js';
import { jsonOf, post, startServer } from './support/client.js';
import { documentOf } from './support/conformance.js';
import { createFakeEmbedder } from './support/fake-embedder.js';
import { FakeModel } from './support/fake-model.js';

const everything = { apiKeys: ['user'], adminKey: 'admin' };

describe('the document', () => {
  test('is valid OpenAPI 3.1', async () => {
    for (const options of [everything, {}, { embedders: [{ embedder: await createFakeEmbedder() }] }]) {
      const { valid, errors } = await new Validator().validate(
        structuredClone(await documentOf(options)) as unknown as Record<string, unknown>,
      );
      expect({ valid, errors }).toEqual({ valid: true, errors: undefined });
    }
  });

  test('has every route of the server and no others', async () => {
    const embedders = [{ embedder: await createFakeEmbedder() }];
    for (const [options, count] of [
      [everything, 18],
      [{}, 14],
      [{ ...everything, embedders }, 24],
    ] as const) {
      const server = createServer(new FakeModel(), options);
      const routes = new Set<string>();
      // Routes are there already; this one tells what they are.
      for (const line of server.fastify.printRoutes({ commonPrefix: false }).split('\n')) {
        const match = /── (\S+) \(([A-Z, ]+)\)/.exec(line);
        if (match === null) continue;
        for (const method of match[2]!.split(', ')) {
          if (method !== 'HEAD') routes.add(`${method} ${match[1] === '*' ? '/v1/models/{id}' : match[1]}`);
        }
      }
      await server.close({ drainTimeoutMs: 0 });
      const { paths } = await documentOf(options);
      const documented = Object.entries(paths).flatMap(([path, methods]) =>
        Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
      );
      expect(documented.toSorted()).toEqual([...routes].toSorted());
      expect(documented.length).toBe(count);
    }
  });

  test('names a key only where one is wanted', async () => {
    const { paths } = await documentOf(everything);
    expect(paths['/v1/completions']!['post']!.security).toEqual([{ apiKey: [] }]);
    expect(paths['/server_info']!['get']!.security).toEqual([{ adminKey: [] }]);
    expect(paths['/health']!['get']!.security).toEqual([]);
    expect((await documentOf({})).paths['/v1/completions']!['post']!.security).toEqual([]);
  });

  test('shows the limits of this very server', async () => {
    const { components } = await documentOf({ maxLogprobs: 7, maxPrompts: 3 });
    const { properties } = components.schemas['CompletionRequest'] as {
      properties: { logprobs: unknown; prompt: { anyOf: unknown[] } };
    };
    expect(properties.logprobs).toMatchObject({
      anyOf: [{ type: 'integer', minimum: 0, maximum: 7 }, { type: 'null' }],
    });
    expect(properties.prompt.anyOf[2]).toMatchObject({ type: 'array', maxItems: 3 });
    expect(JSON.stringify(components)).not.toMatch(/"x-(expected|unsupported|entries)"/);
  });

  test('says of bodies what the server does with them', async () => {
    const { url } = await startServer({ reply: () => 'a' });
    const ajv = new Ajv2020({ strict: false });
    ajv.addSchema(await documentOf({}), 'document');
    const messages = [{ role: 'user', content: 'hi' }];
    const bodies = [
      {},
      { temperature: 0 },
      { temperature: 3 },
      { temperature: null },
      { top_p: 0 },
      { stop: [] },
      { stop: '' },
      { stop: ['a', 'b'] },
      { n: 2 },
      { n: 0 },
      { tools: [] },
      { tools: [{}] },
      { response_format: { type: 'text' } },
      { response_format: { type: 'json_object' } },
      { audio: null },
      { audio: {} },
      { temprature: 1 },
      { logit_bias: { 5: 1 } },
      { logit_bias: { 5: 'x' } },
      { metadata: { a: 'b' } },
      { metadata: { a: 1 } },
      { stream_options: { include_obfuscation: true }, stream: true },
      { messages: [] },
      { messages: [{ role: 'robot', content: 'x' }] },
      { messages: [{ role: 'user', content: [{ type: 'image_url' }] }] },
      { messages: [{ role: 'user', content: [{ type: 'text', text: 'x' }], name: 'Ann' }] },
    ];
    const validate = ajv.getSchema('document#/components/schemas/ChatCompletionRequest')!;
    const verdicts = new Set<boolean>();
    for (const fields of bodies) {
      const body = { messages, max_tokens: 1, ...fields };
      const response = await post(`${url}/v1/chat/completions`, body);
      if (response.status !== 200) await jsonOf(response);
      else await response.text();
      expect([validate(body), response.status], JSON.stringify(fields)).toEqual(
        response.status === 200 ? [true, 200] : [false, 400],
      );
      verdicts.add(response.status === 200);
    }
    expect(verdicts.size).toBe(2);
  });
});

describe('the page', () => {
  test('shows every route, and nothing comes from elsewhere', async () => {
    const { url } = await startServer();
    const response = await fetch(`${url}/docs`);
    const html = await response.text();
    expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8');
    for (const path of Object.keys((await documentOf({})).paths)) expect(html).toContain(`<code>${path}</code>`);
    expect(html).toContain('<code>temperature</code>');
    expect(html).not.toMatch(/<script|https?:|src=|@import|url\(/);
  });

  test('may use its own style and nothing else', async () => {
    const { url } = await startServer();
    const response = await fetch(`${url}/docs`);
    const style = /<style>([\s\S]*?)<\/style>/.exec(await response.text())![1]!;
    const hash = createHash('sha256').update(style).digest('base64');
    const policy = response.headers.get('content-security-policy');
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain(`style-src 'sha256-${hash}'`);
  });

  test('cannot be written into by a name', async () => {
    const { url } = await startServer({}, { servedModelNames: ['<b>"&'] });
    const html = await (await fetch(`${url}/docs`)).text();
    expect(html).not.toContain('<b>');
    expect(html).toContain('&#60;b&#62;&#34;&#38;');
  });
});
