import { ownVersion } from '../own-version.js';
import type { ServerContext } from '../server-context.js';
import { ANSWER_SCHEMAS } from './answer-schemas.js';
import { type AnswerBody, type Operation, operationsOf } from './operations.js';

/** An OpenAPI 3.1 document. */
export interface OpenApiDocument {
  readonly openapi: '3.1.0';
  readonly info: { readonly title: string; readonly version: string; readonly description: string };
  readonly servers: readonly { readonly url: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, OperationObject>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, JsonSchema>>;
    readonly responses: Readonly<Record<string, unknown>>;
    readonly securitySchemes: Readonly<Record<string, unknown>>;
  };
}

/** A JSON Schema as plain JSON. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** One operation of the document. */
export interface OperationObject {
  readonly operationId: string;
  readonly summary: string;
  readonly tags: readonly string[];
  readonly security: readonly Readonly<Record<string, readonly string[]>>[];
  readonly parameters?: readonly unknown[];
  readonly requestBody?: { readonly required: boolean; readonly content: Readonly<Record<string, unknown>> };
  readonly responses: Readonly<Record<string, unknown>>;
}

const ERROR = { $ref: '#/components/responses/Error' };
/** What any request can meet, and what only a POST can. */
const ERRORS_OF_ALL = ['400', '408', '431', '500'];
const ERRORS_OF_POSTS = ['413', '415', '503'];

/** The document of one server: its routes, with the schemas that validate their bodies. */
export function describeServer(context: ServerContext): OpenApiDocument {
  const operations = operationsOf(context);
  const paths: Record<string, Record<string, OperationObject>> = {};
  const schemas: Record<string, JsonSchema> = {};
  for (const [name, schema] of Object.entries(ANSWER_SCHEMAS)) schemas[name] = toJsonSchema(schema);
  for (const operation of operations) {
    if (operation.body !== undefined) schemas[operation.body.name] = toJsonSchema(operation.body.schema);
    paths[operation.path] = { ...paths[operation.path], [operation.method]: toOperation(operation, context) };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Kvasir',
      version: context.options.version ?? ownVersion(),
      description: `The API of ${context.models.names[0]}: OpenAI's, with the fields that vLLM adds. Unknown fields are refused by name; null means absent.`,
    },
    servers: [{ url: '/' }],
    paths,
    components: {
      schemas,
      responses: {
        Error: { description: 'What went wrong.', content: { 'application/json': { schema: ref('Error') } } },
      },
      securitySchemes: {
        apiKey: { type: 'http', scheme: 'bearer', description: 'A key that the server was started with.' },
        adminKey: { type: 'http', scheme: 'bearer', description: 'The admin key of the server.' },
      },
    },
  };
}

function toOperation(operation: Operation, { users }: ServerContext): OperationObject {
  const { id, summary, tag, access, path, body } = operation;
  const needsKey = access === 'admin' || (access === 'user' && users.hasKeys);
  return {
    operationId: id,
    summary,
    tags: [tag],
    security: needsKey ? [{ [access === 'admin' ? 'adminKey' : 'apiKey']: [] }] : [],
    ...(path.includes('{id}')
      ? { parameters: [{ name: 'id', in: 'path', required: true, schema: { type: 'string' } }] }
      : {}),
    ...(body === undefined
      ? {}
      : {
          requestBody: {
            required: body.isOptional !== true,
            content: { 'application/json': { schema: ref(body.name) } },
          },
        }),
    responses: toResponses(operation, needsKey),
  };
}

function toResponses({ answer, event, otherAnswers, hasSeed, method, tag, path }: Operation, needsKey: boolean) {
  const isGeneration = tag === 'Generation';
  const isQueued = isGeneration || tag === 'Embeddings';
  const takesModel = isQueued || tag === 'Tokens' || path.includes('{id}');
  const errors = [
    ...ERRORS_OF_ALL,
    ...(needsKey ? ['401'] : []),
    ...(takesModel ? ['404'] : []),
    ...(method === 'get' ? [] : ERRORS_OF_POSTS),
    ...(isQueued ? ['429'] : []),
    ...(isGeneration ? ['504'] : []),
  ];
  const ok: Record<string, unknown> = {
    ...toResponse('The answer.', answer, event),
    headers: {
      'x-request-id': { schema: { type: 'string' }, description: 'Of the request, or drawn.' },
      ...(hasSeed === true
        ? {
            'x-kvasir-seed': {
              schema: { type: 'string' },
              description: 'Seed of each prompt, joined by commas; sending it as `seed` repeats the answer.',
            },
          }
        : {}),
    },
  };
  const others = Object.entries(otherAnswers ?? {}).map(([status, each]) => [status, toResponse('Not now.', each)]);
  return { '200': ok, ...Object.fromEntries(errors.map((status) => [status, ERROR])), ...Object.fromEntries(others) };
}

function toResponse(description: string, answer: AnswerBody, event?: string): Record<string, unknown> {
  const content: Record<string, unknown> = {};
  if (typeof answer === 'object') {
    content[answer.mediaType] = { schema: { type: answer.mediaType === 'application/json' ? 'object' : 'string' } };
  } else if (answer !== undefined) {
    content['application/json'] = { schema: ref(answer) };
  }
  if (event !== undefined) {
    content['text/event-stream'] = {
      schema: { type: 'string', description: `Events, each with a ${event} as its data; [DONE] ends an answer.` },
      'x-event-schema': ref(event),
    };
  }
  return Object.keys(content).length === 0 ? { description } : { description, content };
}

function ref(name: string): { readonly $ref: string } {
  return { $ref: `#/components/schemas/${name}` };
}

/** The schema as JSON, without the notes that are for error messages only, and with the bounds that every integer has. */
function toJsonSchema(schema: object): JsonSchema {
  const text = JSON.stringify(schema, (key, value: unknown) => {
    if (key.startsWith('x-')) return undefined;
    return isInteger(value) ? { minimum: Number.MIN_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER, ...value } : value;
  });
  return JSON.parse(text) as JsonSchema;
}

function isInteger(value: unknown): value is JsonSchema {
  return typeof value === 'object' && value !== null && (value as JsonSchema)['type'] === 'integer';
}
