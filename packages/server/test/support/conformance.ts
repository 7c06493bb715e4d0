import { Ajv2020 } from 'ajv/dist/2020.js';
import { expect } from 'vitest';
import { createServer } from '../../src/index.js';
import type { OpenApiDocument, OperationObject } from '../../src/openapi/document.js';
import { createFakeEmbedder } from './fake-embedder.js';
import { FakeModel } from './fake-model.js';

/** Checks of answers against the document of a server with every route and keys. */
interface Conformance {
  readonly document: OpenApiDocument;
  readonly check: (pointer: string, value: unknown) => void;
}

let loaded: Promise<Conformance> | undefined;

/** Fails unless `json` is what the document says of the route and status of `response`. */
export async function checkAnswer(response: Response, json: unknown): Promise<void> {
  const { document, check } = await conformance();
  const operations = operationsAt(document, response.url);
  if (response.status !== 200 && operations.length === 0) {
    check('#/components/schemas/Error', json);
    return;
  }
  const known = operations.map((operation) => operation.responses[response.status]).find(Boolean);
  // A method that a path does not have is no operation.
  if (response.status === 405) return check('#/components/schemas/Error', json);
  expect(known, `${response.url} answers ${response.status}, which the document does not list`).toBeDefined();
  const resolved = (known as { $ref?: string }).$ref === undefined ? known : document.components.responses['Error'];
  const { content } = resolved as { content: Record<string, { schema: { $ref: string } }> };
  const { schema } = content['application/json']!;
  if (schema.$ref !== undefined) check(schema.$ref, json);
}

/** Fails unless `event` is what the document says of the stream of a route, or an error. */
export async function checkEvent(response: Response, event: unknown): Promise<void> {
  const { document, check } = await conformance();
  if (typeof event === 'object' && event !== null && 'error' in event) {
    check('#/components/schemas/Error', event);
    return;
  }
  const [operation] = operationsAt(document, response.url);
  const ok = operation!.responses['200'] as { content: Record<string, { 'x-event-schema': { $ref: string } }> };
  check(ok.content['text/event-stream']!['x-event-schema'].$ref, event);
}

function operationsAt({ paths }: OpenApiDocument, url: string): readonly OperationObject[] {
  const path = new URL(url).pathname;
  const template = path.startsWith('/v1/models/') ? '/v1/models/{id}' : path;
  return Object.values(paths[template] ?? {});
}

function conformance(): Promise<Conformance> {
  loaded ??= load();
  return loaded;
}

async function load(): Promise<Conformance> {
  const embedder = await createFakeEmbedder();
  const document = await documentOf({ apiKeys: ['user'], adminKey: 'admin', embedders: [{ embedder }] });
  const ajv = new Ajv2020({ strict: false, allErrors: true });
  ajv.addSchema(document, 'document');
  return {
    document,
    check: (pointer, value) => {
      const validate = ajv.getSchema(`document${pointer}`)!;
      if (!validate(value)) {
        expect.fail(`${pointer} is broken: ${ajv.errorsText(validate.errors)} in ${JSON.stringify(value)}`);
      }
    },
  };
}

/** The document of a server that never listens. */
export async function documentOf(options: Parameters<typeof createServer>[1]): Promise<OpenApiDocument> {
  const server = createServer(new FakeModel(), options);
  try {
    const headers = { authorization: `Bearer ${options?.apiKeys?.[0]}` };
    return (await server.fastify.inject({ url: '/openapi.json', headers })).json();
  } finally {
    await server.close({ drainTimeoutMs: 0 });
  }
}
