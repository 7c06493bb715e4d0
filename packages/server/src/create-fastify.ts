import type { Server } from 'node:http';
import { Socket } from 'node:net';
import {
  type FastifyHttpOptions,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  fastify,
  LogController,
} from 'fastify';
import { toWireError } from './error-mapping.js';
import { RequestError } from './errors.js';
import { type AccessRecord, logWhenClosed } from './http/access-log.js';
import { answerClientError } from './http/client-errors.js';
import { CrossOrigin } from './http/cross-origin.js';
import { parseJsonBody } from './http/json-body.js';
import { lazyCompilers } from './http/lazy-compilers.js';
import { checkMediaType } from './http/media-type.js';
import { requestIdFrom } from './http/request-id.js';
import { RouteTable } from './http/route-table.js';
import { dropWhenStalled } from './http/stalled-answer.js';
import { type TlsOptions, toSecureContext } from './http/tls-options.js';
import { readTraceparent, toTraceparent } from './http/trace-context.js';
import type { Lifecycle } from './lifecycle.js';
import { quote } from './requests/describe-value.js';
import { addAdministration } from './routes/administration.js';
import { addChatCompletions } from './routes/chat-completions.js';
import { addCompletions } from './routes/completions.js';
import { addDocumentation } from './routes/documentation.js';
import { addEmbeddings } from './routes/embeddings.js';
import { addKvEvents } from './routes/kv-events.js';
import { addModels } from './routes/models.js';
import { addOperations } from './routes/operations.js';
import { addRerank } from './routes/rerank.js';
import { addScore } from './routes/score.js';
import { addTokens } from './routes/tokens.js';
import { unservedRoute } from './routes/unserved-routes.js';
import type { GenerationContext, ServerContext } from './server-context.js';
import type { KeptServerOptions } from './server-options.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Open to everyone, also when the server has API keys. */
    isPublic?: boolean;
    /** Wants the admin key instead of an API key, and is served while the server drains. */
    isAdmin?: boolean;
    /** A POST without a body is fine. */
    hasOptionalBody?: boolean;
    /** Asked for again and again by machines: not worth a line of the log. */
    isRoutine?: boolean;
  }
}

/**
 * The fastify instance with every hook, parser and route.
 * @param generation - Of the language model; `undefined` on a server of embedders alone.
 */
export function createFastify(
  context: ServerContext,
  generation: GenerationContext | undefined,
  lifecycle: Lifecycle,
  tls: TlsOptions | undefined,
): FastifyInstance {
  const instance = fastify(fastifyOptions(context.options, tls));
  instance.server.maxConnections = context.options.maxConnections;
  addHooks(instance, context, lifecycle);
  addJsonParser(instance, context.options.maxJsonDepth);
  addErrorHandlers(instance, context);
  if (generation !== undefined) {
    addChatCompletions(instance, generation);
    addCompletions(instance, generation);
  }
  if (context.models.embedders.length > 0) {
    addEmbeddings(instance, context);
    addRerank(instance, context);
    addScore(instance, context);
  }
  addModels(instance, context);
  addTokens(instance, context, generation);
  addOperations(instance, context, lifecycle);
  addDocumentation(instance, context);
  if (context.admins.hasKeys) {
    addAdministration(instance, context, { model: generation?.model, lifecycle });
    if (generation !== undefined) addKvEvents(instance, generation);
  }
  return instance;
}

function fastifyOptions(options: KeptServerOptions, tls: TlsOptions | undefined): FastifyHttpOptions<Server> {
  const http = {
    maxHeaderSize: options.maxHeaderBytes,
    headersTimeout: headersTimeoutMs(options),
    requestTimeout: options.requestTimeoutMs,
    connectionsCheckingInterval: checkingIntervalMs(options),
  };
  return {
    ...loggerOptions(options.logger),
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: options.maxBodyBytes,
    requestTimeout: options.requestTimeoutMs,
    keepAliveTimeout: options.keepAliveTimeoutMs,
    forceCloseConnections: true,
    return503OnClosing: false,
    ...(tls === undefined ? { http } : { https: { ...http, ...toSecureContext(tls) } }),
    genReqId: (raw) => requestIdFrom(raw.headers['x-request-id']),
    clientErrorHandler: answerClientError,
    schemaController: lazyCompilers(),
    frameworkErrors: (error, request, reply) => sendError(error, request, reply as unknown as FastifyReply),
  };
}

/** Node refuses a head that may take longer than its request. */
function headersTimeoutMs({ headersTimeoutMs, requestTimeoutMs }: KeptServerOptions): number {
  if (headersTimeoutMs === 0) return requestTimeoutMs;
  return requestTimeoutMs === 0 ? headersTimeoutMs : Math.min(headersTimeoutMs, requestTimeoutMs);
}

/** How often Node looks for requests that are late. */
function checkingIntervalMs(options: KeptServerOptions): number {
  return Math.min(30_000, Math.max(10, Math.ceil(headersTimeoutMs(options) / 4)));
}

function loggerOptions(logger: KeptServerOptions['logger']): FastifyHttpOptions<Server> {
  if (typeof logger === 'object' && 'info' in logger && typeof logger.info === 'function') {
    return { loggerInstance: logger } as FastifyHttpOptions<Server>;
  }
  return { logger } as FastifyHttpOptions<Server>;
}

function addHooks(instance: FastifyInstance, context: ServerContext, lifecycle: Lifecycle): void {
  const { options, users, admins } = context;
  const { now, logPrompts, stallTimeoutMs } = options;
  const log = { now, logPrompts, metrics: context.metrics };
  const crossOrigin = new CrossOrigin(options.corsOrigins);
  instance.decorateRequest('access', null as never);
  instance.addHook('onRequest', (request, reply, done) => {
    const trace = readTraceparent(request.headers.traceparent);
    request.access = { arrivedAt: now(), trace };
    reply.header('x-request-id', request.id);
    if (trace !== undefined) reply.header('traceparent', toTraceparent(trace));
    logWhenClosed(request, reply, log);
    if (crossOrigin.apply(request, reply)) return;
    const { isPublic, isAdmin } = request.routeOptions.config;
    const isOpen = isPublic === true || (options.metricsWithoutKey && request.routeOptions.url === '/metrics');
    if (!isOpen) {
      const name = (isAdmin === true ? admins : users).check(request.headers.authorization);
      if (name !== undefined) request.access.tenant = name;
    }
    if (request.method === 'POST') {
      if (isAdmin !== true) {
        lifecycle.checkOpen();
        lifecycle.track(reply.raw);
      }
      if (!request.is404 && !isBodyless(request)) {
        checkMediaType(request.headers['content-type'], request.headers['content-encoding']);
      }
    }
    done();
  });
  instance.addHook('onSend', (request, reply, _payload, done) => {
    const onDropped = () => {
      request.access.isSlow = true;
    };
    // An answer by inject has no socket to stall.
    if (request.access && reply.raw.socket instanceof Socket) dropWhenStalled(reply.raw, { stallTimeoutMs, onDropped });
    done();
  });
}

/** There is no body, and none is needed. */
function isBodyless({ routeOptions, headers }: FastifyRequest): boolean {
  const hasNone = headers['transfer-encoding'] === undefined && (headers['content-length'] ?? '0') === '0';
  return hasNone && routeOptions.config.hasOptionalBody === true;
}

function addJsonParser(instance: FastifyInstance, maxDepth: number): void {
  instance.removeAllContentTypeParsers();
  instance.addContentTypeParser<Buffer>('*', { parseAs: 'buffer' }, (request, bytes, done) => {
    try {
      done(null, isBodyless(request) ? undefined : parseJsonBody(bytes, maxDepth));
    } catch (error) {
      done(error as Error);
    }
  });
}

function addErrorHandlers(instance: FastifyInstance, context: ServerContext): void {
  const routes = new RouteTable();
  instance.addHook('onRoute', ({ method, url }) => routes.add(url, method));
  const sendNoRoute = (request: FastifyRequest, reply: FastifyReply): FastifyReply => {
    const path = request.url.split('?', 1)[0]!;
    const allowed = routes.methodsOf(path);
    if (allowed.length > 0) reply.header('allow', allowed.join(', '));
    const error = unservedRoute(context, path) ?? noRoute(request.method, path, allowed);
    return sendError(error, request, reply);
  };
  instance.setErrorHandler((error, request, reply) =>
    // Fastify wants a media type of some methods before it looks whether anyone takes them.
    request.is404 && (error as { code?: unknown }).code === 'FST_ERR_ROUTE_MISSING_CONTENT_TYPE'
      ? sendNoRoute(request, reply)
      : sendError(error, request, reply),
  );
  instance.setNotFoundHandler(sendNoRoute);
}

function noRoute(method: string, path: string, allowed: readonly string[]): RequestError {
  if (allowed.length === 0) {
    return new RequestError('ERR_UNKNOWN_ROUTE', `there is no ${method} ${quote(path)}; check the path`);
  }
  return new RequestError('ERR_METHOD_NOT_ALLOWED', `${path} does not take ${method}; use ${allowed.join(' or ')}`);
}

function sendError(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const wire = toWireError(error, request.id);
  if (wire.isInternal) request.log.error({ err: error, id: request.id }, 'request failed');
  // A URL that cannot be decoded comes here before any hook.
  const access: AccessRecord | null | undefined = request.access;
  if (access) access.errorCode = wire.body.error.code ?? undefined;
  return reply.code(wire.status).headers(wire.headers).type('application/json; charset=utf-8').send(wire.body);
}
