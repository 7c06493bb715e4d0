import type { FastifyReply, FastifyRequest } from 'fastify';

const METHODS = 'GET, POST, OPTIONS';
/** What pages may read of an answer beside what they always may. */
const EXPOSED = 'x-request-id, x-kvasir-seed, retry-after, traceparent';
/** Seconds that a browser may remember a preflight. */
const MAX_AGE = '600';

/**
 * Lets pages of some origins read answers (CORS). Without origins nothing is said, so that browsers refuse all.
 */
export class CrossOrigin {
  readonly #origins: ReadonlySet<string>;

  /** @param origins - Exact ones (`https://app.example`), or `*` alone for all. */
  constructor(origins: readonly string[]) {
    this.#origins = new Set(origins);
  }

  /** Adds the headers. @returns Whether the request was a preflight, which is answered now. */
  apply({ method, headers }: FastifyRequest, reply: FastifyReply): boolean {
    if (this.#origins.size === 0) return false;
    const { origin } = headers;
    const isAnyAllowed = this.#origins.has('*');
    if (!isAnyAllowed) reply.header('vary', 'origin');
    if (origin === undefined) return false;
    const isPreflight = method === 'OPTIONS' && headers['access-control-request-method'] !== undefined;
    if (isAnyAllowed || this.#origins.has(origin)) {
      reply.header('access-control-allow-origin', isAnyAllowed ? '*' : origin);
      reply.header('access-control-expose-headers', EXPOSED);
      if (isPreflight) {
        reply.header('access-control-allow-methods', METHODS);
        reply.header('access-control-allow-headers', headers['access-control-request-headers'] ?? 'authorization');
        reply.header('access-control-max-age', MAX_AGE);
      }
    }
    if (isPreflight) reply.code(204).send();
    return isPreflight;
  }
}
