import type * as PromClient from 'prom-client';
import { HTTP_BUCKETS } from './buckets.js';

/** One answer that is complete, or whose client is gone. */
export interface AnsweredRequest {
  readonly method: string;
  /** Pattern of the route, `none` without one: paths of clients are unbounded. */
  readonly route: string;
  readonly status: number;
  readonly elapsedMs: number;
}

/** The `http_*` series that FastAPI's instrumentator gives vLLM. @returns What feeds them. */
export function addHttpSeries(
  client: typeof PromClient,
  registry: PromClient.Registry,
): (answered: AnsweredRequest) => void {
  if (registry.getSingleMetric('http_requests_total') !== undefined) return () => {};
  const registers = [registry];
  const requests = new client.Counter({
    name: 'http_requests_total',
    help: 'Total number of requests by method, status and handler.',
    labelNames: ['method', 'status', 'handler'],
    registers,
  });
  const duration = new client.Histogram({
    name: 'http_request_duration_seconds',
    help: 'Duration of requests by handler and method, streams to their end.',
    labelNames: ['method', 'handler'],
    buckets: [...HTTP_BUCKETS],
    registers,
  });
  return ({ method, route, status, elapsedMs }) => {
    requests.inc({ method, status: `${Math.floor(status / 100)}xx`, handler: route });
    duration.observe({ method, handler: route }, elapsedMs / 1000);
  };
}
