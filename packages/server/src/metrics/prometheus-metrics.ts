import type * as PromClient from 'prom-client';
import type { EngineNumbers, FinishedRequest, ServedEngine, ServedEngineObserver } from '../served-model.js';
import {
  CHOICE_BUCKETS,
  ITL_BUCKETS,
  REQUEST_BUCKETS,
  STEP_TOKEN_BUCKETS,
  TTFT_BUCKETS,
  tokenBuckets,
} from './buckets.js';

/** Where the series go and how they are labelled. */
export interface PrometheusMetricsOptions {
  readonly registry: PromClient.Registry;
  /** Before the colon of every name. */
  readonly prefix: string;
  readonly modelName: string;
}

type Read<T> = (source: T) => number | undefined;

/** Read from the engine at each scrape: name, help, value. */
const GAUGES: readonly (readonly [string, string, Read<EngineNumbers>])[] = [
  ['num_requests_running', 'Requests in model execution batches.', (stats) => stats.numRunning],
  ['num_requests_waiting', 'Requests waiting to be processed.', (stats) => stats.numWaiting],
  ['kv_cache_usage_perc', 'KV-cache usage. 1 means 100 percent usage.', (stats) => stats.kvCacheUsage],
];

/** Counted by the engine, read at each scrape. */
const COUNTERS: readonly (readonly [string, string, Read<EngineNumbers>])[] = [
  ['prompt_tokens_total', 'Prefill tokens processed.', (stats) => stats.promptTokens],
  ['prompt_tokens_cached_total', 'Prompt tokens taken from the prefix cache.', (stats) => stats.cachedPromptTokens],
  ['generation_tokens_total', 'Generation tokens processed.', (stats) => stats.generationTokens],
  ['num_preemptions_total', 'Preemptions.', (stats) => stats.numPreemptions],
  ['prefix_cache_queries_total', 'Prompt tokens looked up in the prefix cache.', (stats) => stats.prefixQueriedTokens],
  ['prefix_cache_hits_total', 'Prompt tokens found in the prefix cache.', (stats) => stats.prefixHitTokens],
];

/** Observed once for each request that ended, in seconds. */
const REQUEST_TIMES: readonly (readonly [string, string, readonly number[], Read<FinishedRequest>])[] = [
  ['e2e_request_latency_seconds', 'Arrival to end.', REQUEST_BUCKETS, (r) => r.endToEndMs],
  ['request_queue_time_seconds', 'Time in the WAITING phase.', REQUEST_BUCKETS, (r) => r.queueMs],
  ['request_inference_time_seconds', 'Time in the RUNNING phase.', REQUEST_BUCKETS, (r) => r.inferenceMs],
  ['request_prefill_time_seconds', 'Time in the PREFILL phase.', REQUEST_BUCKETS, (r) => r.prefillMs],
  ['request_decode_time_seconds', 'Time in the DECODE phase.', REQUEST_BUCKETS, (r) => r.decodeMs],
  ['request_time_per_output_token_seconds', 'Mean time per token after the first.', ITL_BUCKETS, perTokenMs],
];

/** Observed once for each request that ended, in tokens. */
const REQUEST_TOKENS: readonly (readonly [string, string, Read<FinishedRequest>])[] = [
  ['request_prompt_tokens', 'Prefill tokens.', (r) => r.usage.promptTokens],
  ['request_generation_tokens', 'Generation tokens.', (r) => r.usage.completionTokens],
  ['request_max_num_generation_tokens', 'Most generation tokens of a choice.', (r) => r.usage.completionTokens],
  [
    'request_prefill_kv_computed_tokens',
    'Prefill tokens not found in the prefix cache.',
    (r) => r.usage.promptTokens - r.usage.cachedTokens,
  ],
  ['request_params_max_tokens', 'The max_tokens request parameter.', (r) => r.maxTokens],
];

/**
 * vLLM's series on prom-client: names, types, labels and buckets as in its `vllm/v1/metrics/loggers.py`.
 * Registers them when constructed; `observer` feeds the histograms.
 */
export class PrometheusMetrics {
  readonly observer: Required<ServedEngineObserver>;
  readonly #client: typeof PromClient;
  readonly #options: PrometheusMetricsOptions;
  readonly #labels: { readonly model_name: string; readonly engine: string };

  constructor(client: typeof PromClient, engine: ServedEngine, options: PrometheusMetricsOptions) {
    this.#client = client;
    this.#options = options;
    this.#labels = { model_name: options.modelName, engine: '0' };
    for (const [name, help, read] of GAUGES) this.#scraped(client.Gauge, name, help, () => read(engine.stats()));
    for (const [name, help, read] of COUNTERS) this.#scraped(client.Counter, name, help, () => read(engine.stats()));
    this.#requestSuccess(engine);
    this.#cacheConfigInfo(engine.stats());
    this.observer = this.#createObserver(engine.limits.maxModelLen);
  }

  #createObserver(maxModelLen: number): Required<ServedEngineObserver> {
    const firstToken = this.#histogram('time_to_first_token_seconds', 'Time to first token.', TTFT_BUCKETS);
    const interToken = this.#histogram('inter_token_latency_seconds', 'Time between tokens.', ITL_BUCKETS);
    const step = this.#histogram('iteration_tokens_total', 'Tokens per engine step.', STEP_TOKEN_BUCKETS);
    const choices = this.#histogram('request_params_n', 'The n request parameter.', CHOICE_BUCKETS);
    const times = REQUEST_TIMES.map(
      ([name, help, buckets, read]) => [this.#histogram(name, help, buckets), read] as const,
    );
    const tokens = REQUEST_TOKENS.map(
      ([name, help, read]) => [this.#histogram(name, help, tokenBuckets(maxModelLen)), read] as const,
    );
    const labels = this.#labels;
    return {
      onFirstToken: (ms) => firstToken.observe(labels, ms / 1000),
      onInterToken: (ms) => interToken.observe(labels, ms / 1000),
      onStep: ({ numTokens }) => step.observe(labels, numTokens),
      onFinish: (request) => {
        choices.observe(labels, 1);
        for (const [histogram, read] of times) observe(histogram, read(request), 1000);
        for (const [histogram, read] of tokens) observe(histogram, read(request), 1);
      },
    };

    function observe(histogram: PromClient.Histogram, value: number | undefined, divisor: number): void {
      if (value !== undefined) histogram.observe(labels, value / divisor);
    }
  }

  #describe(name: string, help: string, labelNames: readonly string[] = ['model_name', 'engine']) {
    const { prefix, registry } = this.#options;
    return { name: `${prefix}:${name}`, help, labelNames: [...labelNames], registers: [registry] };
  }

  #histogram(name: string, help: string, buckets: readonly number[]): PromClient.Histogram {
    const histogram = new this.#client.Histogram({ ...this.#describe(name, help), buckets: [...buckets] });
    histogram.zero(this.#labels);
    return histogram;
  }

  #scraped(
    Metric: typeof PromClient.Gauge | typeof PromClient.Counter,
    name: string,
    help: string,
    read: () => number | undefined,
  ): void {
    const labels = this.#labels;
    new Metric({
      ...this.#describe(name, help),
      collect() {
        this.reset();
        this.inc(labels, read() ?? 0);
      },
    });
  }

  #requestSuccess(engine: ServedEngine): void {
    const labels = this.#labels;
    new this.#client.Counter({
      ...this.#describe('request_success_total', 'Requests that ended, by reason.', [
        'model_name',
        'engine',
        'finished_reason',
      ]),
      collect() {
        this.reset();
        for (const [reason, count] of Object.entries(engine.stats().finished)) {
          this.inc({ ...labels, finished_reason: reason }, count);
        }
      },
    });
  }

  #cacheConfigInfo({ numBlocks }: EngineNumbers): void {
    const gauge = new this.#client.Gauge(
      this.#describe('cache_config_info', 'Information of the KV cache configuration.', ['engine', 'num_gpu_blocks']),
    );
    gauge.set({ engine: '0', num_gpu_blocks: String(numBlocks) }, 1);
  }
}

function perTokenMs({ decodeMs, usage }: FinishedRequest): number | undefined {
  if (decodeMs === undefined || usage.completionTokens < 2) return undefined;
  return decodeMs / (usage.completionTokens - 1);
}
