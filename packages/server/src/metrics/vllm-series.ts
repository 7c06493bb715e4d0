import type { EngineNumbers, FinishedRequest, ServedEngineObserver, ServedModel } from '../served-model.js';
import {
  CHOICE_BUCKETS,
  ITL_BUCKETS,
  REQUEST_BUCKETS,
  STEP_TOKEN_BUCKETS,
  TTFT_BUCKETS,
  tokenBuckets,
} from './buckets.js';
import type { Series } from './series.js';

type Read<T> = (source: T) => number | undefined;

/** Read from the engine at each scrape: name, help, value. */
const GAUGES: readonly (readonly [string, string, Read<EngineNumbers>])[] = [
  ['num_requests_running', 'Requests in model execution batches.', (stats) => stats.numRunning],
  ['num_requests_waiting', 'Requests waiting to be processed.', (stats) => stats.numWaiting],
  ['kv_cache_usage_perc', 'KV-cache usage. 1 means 100 percent usage.', (stats) => stats.kvCacheUsage],
];

/** Counted by the engine, read at each scrape. A host tier is what vLLM calls an external cache. */
const COUNTERS: readonly (readonly [string, string, Read<EngineNumbers>])[] = [
  ['prompt_tokens', 'Prefill tokens processed.', (stats) => stats.promptTokens],
  ['prompt_tokens_cached', 'Prompt tokens taken from the prefix cache.', (stats) => stats.cachedPromptTokens],
  ['generation_tokens', 'Generation tokens processed.', (stats) => stats.generationTokens],
  ['num_preemptions', 'Preemptions.', (stats) => stats.numPreemptions],
  ['prefix_cache_queries', 'Prompt tokens looked up in the prefix cache.', (stats) => stats.prefixQueriedTokens],
  ['prefix_cache_hits', 'Prompt tokens found in the prefix cache.', localHits],
  [
    'external_prefix_cache_queries',
    'Prompt tokens looked up in the host tier.',
    (stats) => (stats.hostTier == null ? 0 : stats.prefixQueriedTokens - localHits(stats)),
  ],
  ['external_prefix_cache_hits', 'Prompt tokens found in the host tier.', (stats) => stats.hostTier?.hitTokens],
  ['mm_cache_queries', 'Items looked up in the cache of images and sounds: none, there is text only.', () => 0],
  ['mm_cache_hits', 'Items found in it.', () => 0],
];

/** Observed once for each request that ended, in milliseconds. */
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
  [
    'request_max_num_generation_tokens',
    'Most generation tokens of a choice.',
    (r) => r.longestOutput ?? r.usage.completionTokens,
  ],
  [
    'request_prefill_kv_computed_tokens',
    'Prefill tokens not found in the prefix cache.',
    (r) => r.usage.promptTokens - r.usage.cachedTokens,
  ],
  ['request_params_max_tokens', 'The max_tokens request parameter.', (r) => r.maxTokens],
];

/**
 * vLLM's series: names, types, labels and buckets as in its `vllm/v1/metrics/loggers.py`.
 * @param info - Series with the label `engine` alone, for `cache_config_info`.
 * @returns What feeds the histograms.
 */
export function addVllmSeries(
  series: Series,
  info: Series,
  { engine, kvCacheConfig }: ServedModel,
): ServedEngineObserver {
  for (const [name, help, read] of GAUGES) series.gauge(name, help, () => read(engine.stats()));
  for (const [name, help, read] of COUNTERS) series.counter(name, help, () => read(engine.stats()));
  series.gauges('num_requests_waiting_by_reason', 'Requests waiting, by what they wait for.', ['reason'], () => {
    const { numWaiting, waitingByReason } = engine.stats();
    const deferred = waitingByReason?.fork ?? 0;
    return [
      [{ reason: 'capacity' }, waitingByReason?.capacity ?? numWaiting - deferred],
      [{ reason: 'deferred' }, deferred],
    ];
  });
  series.gauges('engine_sleep_state', 'Always awake: this engine does not sleep.', ['sleep_state'], () => [
    [{ sleep_state: 'awake' }, 1],
    [{ sleep_state: 'weights_offloaded' }, 0],
    [{ sleep_state: 'discard_all' }, 0],
  ]);
  series.counters('prompt_tokens_by_source', 'Prompt tokens, by where their keys came from.', ['source'], () => {
    const { promptTokens, cachedPromptTokens } = engine.stats();
    return [
      [{ source: 'local_compute' }, promptTokens - cachedPromptTokens],
      [{ source: 'local_cache_hit' }, cachedPromptTokens],
      [{ source: 'external_kv_transfer' }, 0],
    ];
  });
  series.counters('request_success', 'Requests that ended, by reason.', ['finished_reason'], () =>
    Object.entries({ ...engine.stats().finished, repetition: 0 }).map(([reason, count]) => [
      { finished_reason: reason },
      count,
    ]),
  );
  addCacheConfig(info, engine.stats(), kvCacheConfig);
  return createObserver(series, engine.limits.maxModelLen);
}

function createObserver(series: Series, maxModelLen: number): ServedEngineObserver {
  const firstToken = series.histogram('time_to_first_token_seconds', 'Time to first token.', TTFT_BUCKETS);
  const interToken = series.histogram('inter_token_latency_seconds', 'Time between tokens.', ITL_BUCKETS);
  const step = series.histogram('iteration_tokens_total', 'Tokens per engine step.', STEP_TOKEN_BUCKETS);
  const choices = series.histogram('request_params_n', 'The n request parameter.', CHOICE_BUCKETS);
  const times = REQUEST_TIMES.map(
    ([name, help, buckets, read]) => [series.histogram(name, help, buckets), read] as const,
  );
  const tokens = REQUEST_TOKENS.map(
    ([name, help, read]) => [series.histogram(name, help, tokenBuckets(maxModelLen)), read] as const,
  );
  return {
    onFirstToken: (ms) => firstToken(ms / 1000),
    onInterToken: (ms) => interToken(ms / 1000),
    onStep: ({ numTokens }) => step(numTokens),
    onFinish: (request) => {
      choices(request.numChoices ?? 1);
      for (const [observe, read] of tokens) observe(read(request));
      for (const [observe, read] of times) {
        const ms = read(request);
        observe(ms === undefined ? undefined : ms / 1000);
      }
    },
  };
}

/** vLLM's configuration of the cache as labels, spelled as Python prints it; boards read sizes from it. */
function addCacheConfig(info: Series, { numBlocks }: EngineNumbers, config: ServedModel['kvCacheConfig']): void {
  const labels: Readonly<Record<string, string>> = {
    block_size: String(config?.blockSize ?? 'None'),
    cache_dtype: config?.dtype ?? 'None',
    cpu_offload_gb: '0',
    enable_prefix_caching: config === undefined ? 'None' : config.enablePrefixCaching ? 'True' : 'False',
    gpu_memory_utilization: 'None',
    is_attention_free: 'False',
    kv_cache_memory_bytes: String(config?.sizeBytes ?? 'None'),
    num_cpu_blocks: String(config?.numHostBlocks ?? 0),
    num_gpu_blocks: String(numBlocks),
    num_gpu_blocks_override: 'None',
    sliding_window: 'None',
  };
  const help = 'Information of the KV cache configuration.';
  info.gauges('cache_config_info', help, Object.keys(labels), () => [[labels, 1]]);
}

function localHits({ prefixHitTokens, hostTier }: EngineNumbers): number {
  return prefixHitTokens - (hostTier?.hitTokens ?? 0);
}

function perTokenMs({ decodeMs, usage, longestOutput }: FinishedRequest): number | undefined {
  const numTokens = longestOutput ?? usage.completionTokens;
  return decodeMs === undefined || numTokens < 2 ? undefined : decodeMs / (numTokens - 1);
}
