import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { type MetricFamily, parseExposition } from '../support/exposition.js';
import { spawnKvasir } from '../support/spawn-kvasir.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { writeTinyModel } from '../support/tiny-checkpoint.js';

// What vLLM registers for a text model on one engine (vllm/v1/metrics/loggers.py), and what its Grafana board queries
// (examples/observability/prometheus_grafana/grafana.json), against what a server says on the wire.

const TTFT = '0.001 0.005 0.01 0.02 0.04 0.06 0.08 0.1 0.25 0.5 0.75 1 2.5 5 7.5 10 20 40 80 160 640 2560';
const ITL = '0.01 0.025 0.05 0.075 0.1 0.15 0.2 0.3 0.4 0.5 0.75 1 2.5 5 7.5 10 20 40 80';
const REQUEST = '0.3 0.5 0.8 1 1.5 2 2.5 5 10 15 20 30 40 50 60 120 240 480 960 1920 7680';
const STEP = '1 8 16 32 64 128 256 512 1024 2048 4096 8192 16384';
/** 1, 2, 5, 10, ... up to the context of the tiny model, 512. */
const TOKENS = '1 2 5 10 20 50 100 200 500';

/** Name, and values of the one label that it has besides `model_name` and `engine`. */
type Named = readonly [name: string, label?: string, ...values: string[]];

const GAUGES: readonly Named[] = [
  ['num_requests_running'],
  ['num_requests_waiting'],
  ['num_requests_waiting_by_reason', 'reason', 'capacity', 'deferred'],
  ['kv_cache_usage_perc'],
  ['engine_sleep_state', 'sleep_state', 'awake', 'weights_offloaded', 'discard_all'],
];

const COUNTERS: readonly Named[] = [
  ['prefix_cache_queries'],
  ['prefix_cache_hits'],
  ['external_prefix_cache_queries'],
  ['external_prefix_cache_hits'],
  ['mm_cache_queries'],
  ['mm_cache_hits'],
  ['num_preemptions'],
  ['prompt_tokens'],
  ['prompt_tokens_by_source', 'source', 'local_compute', 'local_cache_hit', 'external_kv_transfer'],
  ['prompt_tokens_cached'],
  ['generation_tokens'],
  ['request_success', 'finished_reason', 'stop', 'length', 'abort', 'error', 'repetition'],
];

const HISTOGRAMS: readonly (readonly [name: string, bounds: string])[] = [
  ['request_prompt_tokens', TOKENS],
  ['request_generation_tokens', TOKENS],
  ['request_max_num_generation_tokens', TOKENS],
  ['request_params_max_tokens', TOKENS],
  ['request_prefill_kv_computed_tokens', TOKENS],
  ['iteration_tokens_total', STEP],
  ['request_params_n', '1 2 5 10 20'],
  ['time_to_first_token_seconds', TTFT],
  ['inter_token_latency_seconds', ITL],
  ['request_time_per_output_token_seconds', ITL],
  ['e2e_request_latency_seconds', REQUEST],
  ['request_queue_time_seconds', REQUEST],
  ['request_inference_time_seconds', REQUEST],
  ['request_prefill_time_seconds', REQUEST],
  ['request_decode_time_seconds', REQUEST],
];

/** Panels of the board, as their queries are, `$model_name` being the served one and `$__rate_interval` cut off. */
const QUERIES: readonly (readonly [metric: string, suffix: string])[] = [
  ...['_bucket', '_sum', '_count'].flatMap((suffix) =>
    ['e2e_request_latency_seconds', 'inter_token_latency_seconds', 'time_to_first_token_seconds'].map(
      (metric) => [metric, suffix] as const,
    ),
  ),
  ['prompt_tokens_total', ''],
  ['generation_tokens_total', ''],
  ['num_requests_running', ''],
  ['num_requests_waiting', ''],
  ['kv_cache_usage_perc', ''],
  ['request_prompt_tokens', '_bucket'],
  ['request_generation_tokens', '_bucket'],
  ['request_success_total', ''],
  ['request_queue_time_seconds', '_sum'],
  ['request_prefill_time_seconds', '_sum'],
  ['request_decode_time_seconds', '_sum'],
  ['request_max_num_generation_tokens', '_bucket'],
];

const tiny = join(temporaryFolder(), 'tiny.gguf');
beforeAll(() => writeTinyModel(tiny));

describe.each([
  ['vllm', []],
  ['acme', ['--metrics-prefix', 'acme']],
] as const)('metrics under %s', (prefix, argv) => {
  let text: string;
  let families: ReadonlyMap<string, MetricFamily>;

  beforeAll(async () => {
    const server = spawnKvasir(['serve', tiny, '--port', '0', '--served-model-name', 'board', ...argv]);
    const url = await server.url();
    const response = await fetch(`${url}/v1/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ prompt: 'abcabc', max_tokens: 6, n: 2, ignore_eos: true }),
    });
    expect(response.status).toBe(200);
    await response.text();
    text = await (await fetch(`${url}/metrics`)).text();
    families = parseExposition(text);
    server.kill('SIGTERM');
    await server.ended;
  });

  const own = { model_name: 'board', engine: '0' };

  test.each([
    ...GAUGES.map((named) => ['gauge', ...named] as const),
    ...COUNTERS.map(([name, ...rest]) => ['counter', `${name}_total`, ...rest] as const),
  ])('%s %s has its type and labels', (type, name, label, ...values) => {
    const family = families.get(`${prefix}:${name}`);
    expect(family?.type).toBe(type);
    const expected = label === undefined ? [own] : values.map((value) => ({ ...own, [label]: value }));
    expect(family?.labels).toHaveLength(expected.length);
    expect(family?.labels).toEqual(expect.arrayContaining(expected));
  });

  test.each(HISTOGRAMS)('histogram %s has its buckets and labels', (name, bounds) => {
    const family = families.get(`${prefix}:${name}`);
    expect(family?.type).toBe('histogram');
    expect(family?.bounds.join(' ')).toBe(`${bounds} +Inf`);
    for (const labels of family?.labels ?? []) expect(labels).toEqual(own);
  });

  test('cache_config_info is a gauge of 1 whose labels say how the cache is made', () => {
    const family = families.get(`${prefix}:cache_config_info`);
    expect(family?.type).toBe('gauge');
    expect(family?.labels).toMatchObject([{ engine: '0', block_size: '16', enable_prefix_caching: 'True' }]);
    expect(Number(family?.labels[0]?.['num_gpu_blocks'])).toBeGreaterThan(0);
  });

  test('every query of the board finds samples of this model, and something happened', () => {
    for (const [metric, suffix] of QUERIES) {
      expect(text).toMatch(new RegExp(`^${prefix}:${metric}${suffix}\\{[^\\n]*model_name="board"`, 'm'));
    }
    expect(text).toContain(`${prefix}:generation_tokens_total{model_name="board",engine="0"} 12\n`);
    expect(text).toMatch(new RegExp(`^${prefix}:time_to_first_token_seconds_count\\{[^}]*\\} [12]$`, 'm'));
  });

  test('what vLLM lacks is kvasir’s, under any prefix', () => {
    expect(families.get('kvasir:kv_blocks')?.type).toBe('gauge');
    const prefixes = new Set([...families.keys()].flatMap((name) => /^(\w+):/.exec(name)?.[1] ?? []));
    expect([...prefixes].toSorted()).toEqual([prefix, 'kvasir'].toSorted());
  });
});
