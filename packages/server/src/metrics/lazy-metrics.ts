import type { Registry } from 'prom-client';
import type { BatchNumbers, EmbeddedInputNumbers } from '../served-embedder.js';
import type { FinishedRequest, StepNumbers } from '../served-model.js';
import type { AnsweredRequest } from './http-series.js';
import type { MeasuredModels } from './measured-models.js';
import { type MetricsObserver, PrometheusMetrics } from './prometheus-metrics.js';
import { ServerMeters } from './server-meters.js';

/** Options of {@link LazyMetrics}. */
export interface LazyMetricsOptions {
  /** Default: one of the server's own. */
  readonly registry: Registry | undefined;
  readonly prefix: string;
  readonly showTenants: boolean;
}

/** Text of a scrape. */
export interface Scrape {
  readonly contentType: string;
  readonly text: string;
}

/** Events that are kept at most while nobody has asked for prom-client: a server that never listens would keep them all. */
const MAX_PENDING = 4096;

/**
 * Metrics that load prom-client (about 20 ms) only when it is first needed, so that a cold start does not wait for it.
 * What happens before is kept and replayed.
 */
export class LazyMetrics implements MetricsObserver {
  /** Counted here, read at each scrape. */
  readonly meters = new ServerMeters();
  readonly #models: MeasuredModels;
  readonly #options: LazyMetricsOptions;
  #pending: ((observer: MetricsObserver) => void)[] = [];
  #observer: MetricsObserver | undefined;
  #loading: Promise<Registry> | undefined;

  constructor(models: MeasuredModels, options: LazyMetricsOptions) {
    this.#models = models;
    this.#options = options;
  }

  onFirstToken(ms: number): void {
    if (this.#observer !== undefined) this.#observer.onFirstToken(ms);
    else this.#keep((observer) => observer.onFirstToken(ms));
  }

  onInterToken(ms: number): void {
    if (this.#observer !== undefined) this.#observer.onInterToken(ms);
    else this.#keep((observer) => observer.onInterToken(ms));
  }

  onStep(step: StepNumbers): void {
    if (this.#observer !== undefined) this.#observer.onStep(step);
    else this.#keep((observer) => observer.onStep(step));
  }

  onFinish(request: FinishedRequest): void {
    if (this.#observer !== undefined) this.#observer.onFinish(request);
    else this.#keep((observer) => observer.onFinish(request));
  }

  onAnswered(answered: AnsweredRequest): void {
    if (this.#observer !== undefined) this.#observer.onAnswered(answered);
    else this.#keep((observer) => observer.onAnswered(answered));
  }

  onBatch(embedder: number, batch: BatchNumbers): void {
    if (this.#observer !== undefined) this.#observer.onBatch(embedder, batch);
    else this.#keep((observer) => observer.onBatch(embedder, batch));
  }

  onEmbedded(embedder: number, input: EmbeddedInputNumbers): void {
    if (this.#observer !== undefined) this.#observer.onEmbedded(embedder, input);
    else this.#keep((observer) => observer.onEmbedded(embedder, input));
  }

  /** Loads prom-client, once. */
  load(): Promise<Registry> {
    this.#loading ??= this.#load();
    return this.#loading;
  }

  /** Every series of the registry, in Prometheus' text format. */
  async scrape(): Promise<Scrape> {
    const registry = await this.load();
    return { contentType: registry.contentType, text: await registry.metrics() };
  }

  #keep(replay: (observer: MetricsObserver) => void): void {
    this.#pending.push(replay);
    if (this.#pending.length === MAX_PENDING) void this.load();
  }

  async #load(): Promise<Registry> {
    const client = await import('prom-client');
    const registry = this.#options.registry ?? new client.Registry();
    const observer = new PrometheusMetrics(client, this.#models, { ...this.#options, registry, meters: this.meters });
    for (const replay of this.#pending) replay(observer);
    this.#pending = [];
    this.#observer = observer;
    return registry;
  }
}
