import type * as PromClient from 'prom-client';
import type { BatchNumbers, EmbeddedInputNumbers, ServedEmbedderObserver } from '../served-embedder.js';
import type { FinishedRequest, ServedEngineObserver, StepNumbers } from '../served-model.js';
import { addEmbedderSeries } from './embedder-series.js';
import { type AnsweredRequest, addHttpSeries } from './http-series.js';
import { addKvasirSeries } from './kvasir-series.js';
import type { MeasuredModels } from './measured-models.js';
import { Series, SeriesFamilies } from './series.js';
import type { ServerMeters } from './server-meters.js';
import { addServerSeries } from './server-series.js';
import { addVllmSeries } from './vllm-series.js';

/** Hears of what a scrape cannot read. */
export interface MetricsObserver extends Required<ServedEngineObserver> {
  onAnswered(answered: AnsweredRequest): void;
  /** Of the embedder at this index. */
  onBatch(embedder: number, batch: BatchNumbers): void;
  onEmbedded(embedder: number, input: EmbeddedInputNumbers): void;
}

/** Where the series go and how they are labelled. */
export interface PrometheusMetricsOptions {
  readonly registry: PromClient.Registry;
  /** Before the colon of vLLM's names. */
  readonly prefix: string;
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
  readonly #embedders: readonly ServedEmbedderObserver[];

  constructor(client: typeof PromClient, { model, embedders }: MeasuredModels, options: PrometheusMetricsOptions) {
    const { registry, prefix, meters, showTenants } = options;
    const families = new SeriesFamilies();
    const seriesOf = (name: string) => {
      const labels = { model_name: name, engine: '0' };
      return {
        vllm: new Series({ client, registry, families, prefix, labels }),
        kvasir: new Series({ client, registry, families, prefix: 'kvasir', labels }),
      };
    };
    const [first] = model === undefined ? embedders : [model];
    if (first !== undefined) addServerSeries(seriesOf(first.name).kvasir, meters);
    if (model === undefined) this.#observers = [];
    else {
      const { vllm, kvasir } = seriesOf(model.name);
      const info = new Series({ client, registry, families, prefix, labels: { engine: '0' } });
      this.#observers = [
        addVllmSeries(vllm, info, model.served),
        addKvasirSeries(kvasir, model.served, { showTenants }),
      ];
    }
    this.#embedders = embedders.map(({ name, served }) => {
      const { vllm, kvasir } = seriesOf(name);
      return addEmbedderSeries(vllm, kvasir, served);
    });
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

  onBatch(embedder: number, batch: BatchNumbers): void {
    this.#embedders[embedder]?.onBatch?.(batch);
  }

  onEmbedded(embedder: number, input: EmbeddedInputNumbers): void {
    this.#embedders[embedder]?.onEmbedded?.(input);
  }
}
