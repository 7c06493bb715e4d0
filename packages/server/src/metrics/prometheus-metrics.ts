import type * as PromClient from 'prom-client';
import type { FinishedRequest, ServedEngineObserver, ServedModel, StepNumbers } from '../served-model.js';
import { type AnsweredRequest, addHttpSeries } from './http-series.js';
import { addKvasirSeries } from './kvasir-series.js';
import { Series } from './series.js';
import type { ServerMeters } from './server-meters.js';
import { addVllmSeries } from './vllm-series.js';

/** Hears of what a scrape cannot read. */
export interface MetricsObserver extends Required<ServedEngineObserver> {
  onAnswered(answered: AnsweredRequest): void;
}

/** Where the series go and how they are labelled. */
export interface PrometheusMetricsOptions {
  readonly registry: PromClient.Registry;
  /** Before the colon of vLLM's names. */
  readonly prefix: string;
  readonly modelName: string;
  readonly meters: ServerMeters;
  /** Whether there are series by tenant. */
  readonly showTenants: boolean;
}

/** The event loop's delay is sampled this often: rarely enough that an idle process stays idle. */
const EVENT_LOOP_SAMPLE_MS = 100;

/** Registers every series when constructed: vLLM's, Kvasir's, HTTP's and the process's. */
export class PrometheusMetrics implements MetricsObserver {
  readonly onAnswered: (answered: AnsweredRequest) => void;
  readonly #observers: readonly ServedEngineObserver[];

  constructor(client: typeof PromClient, model: ServedModel, options: PrometheusMetricsOptions) {
    const { registry, prefix, modelName, meters, showTenants } = options;
    const labels = { model_name: modelName, engine: '0' };
    const vllm = new Series({ client, registry, prefix, labels });
    const info = new Series({ client, registry, prefix, labels: { engine: '0' } });
    const kvasir = new Series({ client, registry, prefix: 'kvasir', labels });
    this.#observers = [addVllmSeries(vllm, info, model), addKvasirSeries(kvasir, model, meters, { showTenants })];
    this.onAnswered = addHttpSeries(client, registry);
    // A registry of the application may have them already.
    if (registry.getSingleMetric('process_cpu_seconds_total') === undefined) {
      client.collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: EVENT_LOOP_SAMPLE_MS });
    }
  }

  onFirstToken(ms: number): void {
    for (const observer of this.#observers) observer.onFirstToken?.(ms);
  }

  onInterToken(ms: number): void {
    for (const observer of this.#observers) observer.onInterToken?.(ms);
  }

  onStep(step: StepNumbers): void {
    for (const observer of this.#observers) observer.onStep?.(step);
  }

  onFinish(request: FinishedRequest): void {
    for (const observer of this.#observers) observer.onFinish?.(request);
  }
}
