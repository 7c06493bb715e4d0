import type { FastifyReply, FastifyRequest } from 'fastify';
import type { LazyMetrics } from '../metrics/lazy-metrics.js';
import type { TraceContext } from './trace-context.js';

/** What a request's line in the log says, filled in on its way. Never prompts or outputs. */
export interface AccessRecord {
  /** Milliseconds of the server's clock. */
  readonly arrivedAt: number;
  readonly trace?: TraceContext | undefined;
  model?: string;
  /** Name of the API key. */
  tenant?: string | undefined;
  user?: string | undefined;
  metadata?: Readonly<Record<string, string>> | undefined;
  promptTokens?: number;
  completionTokens?: number;
  cachedTokens?: number;
  timeToFirstTokenMs?: number | undefined;
  /** One a prompt, joined by commas. */
  finish?: string;
  /** OpenAI's code of the error that was answered. */
  errorCode?: string | undefined;
  /** The client took nothing for too long. */
  isSlow?: boolean;
}

declare module 'fastify' {
  interface FastifyRequest {
    access: AccessRecord;
  }
}

/** What the log needs of the server. */
export interface AccessLogOptions {
  readonly now: () => number;
  readonly metrics: LazyMetrics;
  /** Whether prompts are in it. */
  readonly logPrompts: boolean;
}

/** Longest prompt in a line, in characters of its JSON. */
const MAX_LOGGED_PROMPT = 16_384;

/**
 * Writes the line of `request` once its response is complete or its socket is gone, and counts it; probes and scrapes are
 * logged at level debug.
 */
export function logWhenClosed(request: FastifyRequest, reply: FastifyReply, options: AccessLogOptions): void {
  reply.raw.once('close', () => {
    const { arrivedAt, timeToFirstTokenMs, finish, trace, isSlow, ...rest } = request.access;
    const isComplete = reply.raw.writableFinished;
    const elapsedMs = options.now() - arrivedAt;
    count(request, reply, elapsedMs, options.metrics);
    const level = request.routeOptions.config.isRoutine === true ? 'debug' : 'info';
    request.log[level](
      {
        id: request.id,
        ...(trace === undefined
          ? {}
          : { traceId: trace.traceId, spanId: trace.spanId, parentSpanId: trace.parentSpanId }),
        method: request.method,
        route: request.routeOptions.url ?? null,
        status: reply.raw.statusCode,
        ...rest,
        ...(timeToFirstTokenMs === undefined ? {} : { ttftMs: round(timeToFirstTokenMs) }),
        e2eMs: round(elapsedMs),
        finish: isSlow === true ? 'slow_client' : (finish ?? (isComplete ? undefined : 'disconnect')),
        ...(options.logPrompts ? { prompt: promptOf(request.body) } : {}),
      },
      'request',
    );
  });
}

function count(
  { method, routeOptions, access }: FastifyRequest,
  { raw }: FastifyReply,
  elapsedMs: number,
  metrics: LazyMetrics,
): void {
  const { meters } = metrics;
  if (access.errorCode !== undefined) meters.refused(access.errorCode);
  if (access.isSlow === true) meters.numDroppedSlow++;
  else if (!raw.writableFinished) meters.numDisconnected++;
  const isKnown = routeOptions.url !== undefined;
  // Methods and paths that have no route are whatever clients make up.
  metrics.onAnswered({
    method: isKnown ? method : 'none',
    route: routeOptions.url ?? 'none',
    status: raw.statusCode,
    elapsedMs,
  });
}

/** Fields of texts that are compared with each other. */
const COMPARED = ['query', 'text_1', 'queries', 'data_1', 'documents', 'text_2', 'items', 'data_2'] as const;

/** Messages, prompts or texts of a body, as JSON that is cut when long: texts that are compared with each other by their names. */
function promptOf(body: unknown): string | undefined {
  if (typeof body !== 'object' || body === null) return undefined;
  const { messages, prompt, input, ...rest } = body as Readonly<Record<string, unknown>>;
  const text: string | undefined = JSON.stringify(messages ?? prompt ?? input ?? comparedTexts(rest));
  return text === undefined || text.length <= MAX_LOGGED_PROMPT ? text : `${text.slice(0, MAX_LOGGED_PROMPT)}...`;
}

function comparedTexts(body: Readonly<Record<string, unknown>>): object | undefined {
  const entries = COMPARED.filter((name) => body[name] != null).map((name) => [name, body[name]]);
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}

function round(ms: number): number {
  return Math.round(ms * 10) / 10;
}
