import { abortSchema } from '../requests/abort-request.js';
import { RERANK_PATHS } from '../routes/rerank.js';
import { SCORE_PATHS } from '../routes/score.js';
import type { TSchema } from '../schema/builders.js';
import type { ServerContext } from '../server-context.js';
import type { ANSWER_SCHEMAS } from './answer-schemas.js';

/** Who may call a route: everyone, whoever has an API key (where there are any), or the admin. */
type Access = 'public' | 'user' | 'admin';

/** A body of an answer: JSON by the name of its schema, or text of some media type. */
export type AnswerBody = keyof typeof ANSWER_SCHEMAS | { readonly mediaType: string } | undefined;

/** One route of the server, as the document shows it. */
export interface Operation {
  readonly method: 'get' | 'post';
  /** OpenAPI's template. */
  readonly path: string;
  readonly id: string;
  readonly tag: 'Generation' | 'Embeddings' | 'Models' | 'Tokens' | 'Operations' | 'Administration';
  readonly summary: string;
  readonly access: Access;
  /** JSON body; its schema is the one that validates. */
  readonly body?: { readonly name: string; readonly schema: TSchema; readonly isOptional?: boolean };
  readonly answer: AnswerBody;
  /** Schema of each event, when the answer can be a stream; without an `answer` it always is. */
  readonly event?: keyof typeof ANSWER_SCHEMAS;
  /** Answers instead of `Error` for these statuses. */
  readonly otherAnswers?: Readonly<Record<string, AnswerBody>>;
  /** The answer carries the seeds it was sampled with. */
  readonly hasSeed?: boolean;
}

const user = { access: 'user' } as const;

/** Every route that a server with these models and options has. */
export function operationsOf(context: ServerContext): readonly Operation[] {
  const { models, admins } = context;
  const all = [
    ...(models.hasLanguageModel ? generationOperations(context) : []),
    ...(models.embedders.length > 0 ? embeddingOperations(context) : []),
    ...commonOperations(context),
  ];
  return admins.hasKeys ? all : all.filter(({ access }) => access !== 'admin');
}

function generationOperations({ schemas }: ServerContext): readonly Operation[] {
  return [
    {
      ...{ method: 'post', path: '/v1/chat/completions', id: 'createChatCompletion', tag: 'Generation', ...user },
      summary: 'Answers a conversation, whole or as server-sent events.',
      body: { name: 'ChatCompletionRequest', schema: schemas.chat },
      answer: 'ChatCompletion',
      event: 'ChatCompletionChunk',
      hasSeed: true,
    },
    {
      ...{ method: 'post', path: '/v1/completions', id: 'createCompletion', tag: 'Generation', ...user },
      summary: 'Continues one text or several, whole or as server-sent events.',
      body: { name: 'CompletionRequest', schema: schemas.completion },
      answer: 'Completion',
      event: 'CompletionChunk',
      hasSeed: true,
    },
    {
      ...{ method: 'get', path: '/kv_events', id: 'kvEvents', tag: 'Administration', access: 'admin' },
      summary: 'What the KV cache stores, removes and clears, as server-sent events without an end.',
      answer: undefined,
      event: 'KvEvent',
    },
  ];
}

function embeddingOperations({ schemas }: ServerContext): readonly Operation[] {
  return [
    {
      ...{ method: 'post', path: '/v1/embeddings', id: 'createEmbedding', tag: 'Embeddings', ...user },
      summary: 'A vector for each text.',
      body: { name: 'EmbeddingRequest', schema: schemas.embedding },
      answer: 'EmbeddingList',
    },
    ...RERANK_PATHS.map(
      (path): Operation => ({
        ...{ method: 'post', path, id: operationId('rerank', path), tag: 'Embeddings', ...user },
        summary: 'Documents by how close they are to a query, best first.',
        body: { name: 'RerankRequest', schema: schemas.rerank },
        answer: 'RerankResults',
      }),
    ),
    ...SCORE_PATHS.map(
      (path): Operation => ({
        ...{ method: 'post', path, id: operationId('score', path), tag: 'Embeddings', ...user },
        summary: 'How close pairs of texts are, from -1 to 1.',
        body: { name: 'ScoreRequest', schema: schemas.score },
        answer: 'ScoreList',
      }),
    ),
  ];
}

/** One of several paths to the same: `rerank`, `rerankV1`. */
function operationId(name: string, path: string): string {
  const version = /^\/v(\d)\//.exec(path)?.[1];
  return version === undefined ? name : `${name}V${version}`;
}

function commonOperations({ schemas, options }: ServerContext): readonly Operation[] {
  return [
    {
      ...{ method: 'get', path: '/v1/models', id: 'listModels', tag: 'Models', ...user },
      summary: 'Names under which the model is served.',
      answer: 'ModelList',
    },
    {
      ...{ method: 'get', path: '/v1/models/{id}', id: 'getModel', tag: 'Models', ...user },
      summary: 'One of them; its name may hold slashes.',
      answer: 'Model',
    },
    {
      ...{ method: 'post', path: '/tokenize', id: 'tokenize', tag: 'Tokens', ...user },
      summary: 'Token ids of a text or of a rendered chat.',
      body: { name: 'TokenizeRequest', schema: schemas.tokenize },
      answer: 'Tokenized',
    },
    {
      ...{ method: 'post', path: '/detokenize', id: 'detokenize', tag: 'Tokens', ...user },
      summary: 'Text of token ids.',
      body: { name: 'DetokenizeRequest', schema: schemas.detokenize },
      answer: 'Detokenized',
    },
    {
      ...{ method: 'get', path: '/health', id: 'health', tag: 'Operations', access: 'public' },
      summary: 'Whether the engine lives.',
      answer: 'Health',
      otherAnswers: { '503': 'Health' },
    },
    {
      ...{ method: 'get', path: '/ready', id: 'ready', tag: 'Operations', access: 'public' },
      summary: 'Whether requests are taken.',
      answer: 'Readiness',
      otherAnswers: { '503': 'Readiness' },
    },
    ...(['get', 'post'] as const).map(
      (method): Operation => ({
        ...{ method, path: '/ping', id: `${method}Ping`, tag: 'Operations', ...user },
        summary: 'Whether the engine lives, without a body.',
        answer: undefined,
        otherAnswers: { '503': undefined },
      }),
    ),
    {
      ...{ method: 'get', path: '/version', id: 'version', tag: 'Operations', ...user },
      summary: 'Version of the server.',
      answer: 'Version',
    },
    {
      ...{ method: 'get', path: '/metrics', id: 'metrics', tag: 'Operations' },
      access: options.metricsWithoutKey ? 'public' : 'user',
      summary: 'Metrics in the text format of Prometheus.',
      answer: { mediaType: 'text/plain' },
    },
    {
      ...{ method: 'get', path: '/openapi.json', id: 'openapi', tag: 'Operations', ...user },
      summary: 'This document.',
      answer: { mediaType: 'application/json' },
    },
    {
      ...{ method: 'get', path: '/docs', id: 'docs', tag: 'Operations', ...user },
      summary: 'This document as a page.',
      answer: { mediaType: 'text/html' },
    },
    {
      ...{
        method: 'post',
        path: '/reset_prefix_cache',
        id: 'resetPrefixCache',
        tag: 'Administration',
        access: 'admin',
      },
      summary: 'Forgets every cached prefix that no running request holds.',
      answer: 'Reset',
    },
    {
      ...{ method: 'post', path: '/abort_requests', id: 'abortRequests', tag: 'Administration', access: 'admin' },
      summary: 'Ends running requests; their clients get an error.',
      body: { name: 'AbortRequest', schema: abortSchema(), isOptional: true },
      answer: 'Aborted',
    },
    {
      ...{ method: 'get', path: '/server_info', id: 'serverInfo', tag: 'Administration', access: 'admin' },
      summary: 'What is served, on what, and within which limits. No secrets.',
      answer: 'ServerInfo',
    },
  ];
}
