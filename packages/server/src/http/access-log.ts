import type { FastifyReply, FastifyRequest } from 'fastify';

/** What a request's line in the log says, filled in on its way. Never prompts or outputs. */
export interface AccessRecord {
  /** Milliseconds of the server's clock. */
  readonly arrivedAt: number;
  model?: string;
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
}

declare module 'fastify' {
  interface FastifyRequest {
    access: AccessRecord;
  }
}

/** Writes the line of `request` once its response is complete or its socket is gone; probes and scrapes at level debug. */
export function logWhenClosed(request: FastifyRequest, reply: FastifyReply, now: () => number): void {
  reply.raw.once('close', () => {
    const { arrivedAt, timeToFirstTokenMs, finish, ...rest } = request.access;
    const complete = reply.raw.writableFinished;
    const level = request.routeOptions.config.isRoutine === true ? 'debug' : 'info';
    request.log[level](
      {
        id: request.id,
        method: request.method,
        route: request.routeOptions.url ?? null,
        status: reply.raw.statusCode,
        ...rest,
        ...(timeToFirstTokenMs === undefined ? {} : { ttftMs: round(timeToFirstTokenMs) }),
        e2eMs: round(now() - arrivedAt),
        finish: finish ?? (complete ? undefined : 'disconnect'),
      },
      'request',
    );
  });
}

function round(ms: number): number {
  return Math.round(ms * 10) / 10;
}
