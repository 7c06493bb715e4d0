import { Registry } from 'prom-client';
import { describe, expect, test } from 'vitest';
import { createServer } from '../src/index.js';
import { post, postOk, startServer, until } from './support/client.js';
import { FakeModel } from './support/fake-model.js';

/** Series of vLLM's Grafana board, as its queries spell them. */
const BOARD = [
  'vllm:e2e_request_latency_seconds_bucket',
  'vllm:e2e_request_latency_seconds_sum',
  'vllm:e2e_request_latency_seconds_count',
  'vllm:prompt_tokens_total',
  'vllm:generation_tokens_total',
  'vllm:inter_token_latency_seconds_bucket',
  'vllm:inter_token_latency_seconds_sum',
  'vllm:inter_token_latency_seconds_count',
  'vllm:num_requests_running',
  'vllm:num_requests_waiting',
  'vllm:time_to_first_token_seconds_bucket',
  'vllm:time_to_first_token_seconds_sum',
  'vllm:time_to_first_token_seconds_count',
  'vllm:kv_cache_usage_perc',
  'vllm:request_prompt_tokens_bucket',
  'vllm:request_generation_tokens_bucket',
  'vllm:request_success_total',
  'vllm:request_queue_time_seconds_sum',
  'vllm:request_prefill_time_seconds_sum',
  'vllm:request_decode_time_seconds_sum',
  'vllm:request_max_num_generation_tokens_bucket',
  'vllm:request_max_num_generation_tokens_sum',
  'vllm:request_max_num_generation_tokens_count',
];

const TYPES: Readonly<Record<string, readonly string[]>> = {
  gauge: [
    'vllm:num_requests_running',
    'vllm:num_requests_waiting',
    'vllm:num_requests_waiting_by_reason',
    'vllm:kv_cache_usage_perc',
    'vllm:cache_config_info',
    'vllm:engine_sleep_state',
    'kvasir:kv_blocks_pinned',
    'kvasir:host_tier_blocks',
    'kvasir:paused_streams',
    'process_resident_memory_bytes',
    'nodejs_eventloop_lag_seconds',
    'nodejs_heap_size_used_bytes',
  ],
  counter: [
    'vllm:prefix_cache_queries_total',
    'vllm:prefix_cache_hits_total',
    'vllm:external_prefix_cache_queries_total',
    'vllm:external_prefix_cache_hits_total',
    'vllm:mm_cache_queries_total',
    'vllm:mm_cache_hits_total',
    'vllm:num_preemptions_total',
    'vllm:prompt_tokens_total',
    'vllm:prompt_tokens_by_source_total',
    'vllm:prompt_tokens_cached_total',
    'vllm:generation_tokens_total',
    'vllm:request_success_total',
    'kvasir:tenant_requests_total',
    'kvasir:clients_lost_total',
    'kvasir:requests_refused_total',
    'kvasir:failed_steps_total',
    'http_requests_total',
    'process_cpu_seconds_total',
  ],
  histogram: [
    'vllm:time_to_first_token_seconds',
    'vllm:inter_token_latency_seconds',
    'vllm:request_time_per_output_token_seconds',
    'vllm:e2e_request_latency_seconds',
    'vllm:request_queue_time_seconds',
    'vllm:request_inference_time_seconds',
    'vllm:request_prefill_time_seconds',
    'vllm:request_decode_time_seconds',
    'vllm:iteration_tokens_total',
    'vllm:request_prompt_tokens',
    'vllm:request_generation_tokens',
    'vllm:request_max_num_generation_tokens',
    'vllm:request_prefill_kv_computed_tokens',
    'vllm:request_params_max_tokens',
    'vllm:request_params_n',
    'kvasir:step_seconds',
    'kvasir:step_compute_seconds',
    'http_request_duration_seconds',
  ],
};

/** `le` of each bucket, as vLLM has them; B125 for a context of 1000. */
const BUCKETS: Readonly<Record<string, string>> = {
  time_to_first_token_seconds:
    '0.001 0.005 0.01 0.02 0.04 0.06 0.08 0.1 0.25 0.5 0.75 1 2.5 5 7.5 10 20 40 80 160 640 2560 +Inf',
  inter_token_latency_seconds: '0.01 0.025 0.05 0.075 0.1 0.15 0.2 0.3 0.4 0.5 0.75 1 2.5 5 7.5 10 20 40 80 +Inf',
  request_time_per_output_token_seconds:
    '0.01 0.025 0.05 0.075 0.1 0.15 0.2 0.3 0.4 0.5 0.75 1 2.5 5 7.5 10 20 40 80 +Inf',
  request_decode_time_seconds: '0.3 0.5 0.8 1 1.5 2 2.5 5 10 15 20 30 40 50 60 120 240 480 960 1920 7680 +Inf',
  iteration_tokens_total: '1 8 16 32 64 128 256 512 1024 2048 4096 8192 16384 +Inf',
  request_params_n: '1 2 5 10 20 +Inf',
  request_params_max_tokens: '1 2 5 10 20 50 100 200 500 1000 +Inf',
};

const labels = 'model_name="fake",engine="0"';
const scrape = async (url: string) => (await fetch(`${url}/metrics`)).text();

describe('metrics', () => {
  test('have every series that a board made for vLLM asks for, with its type', async () => {
    const { url } = await startServer();
    const response = await fetch(`${url}/metrics`);
    expect(response.headers.get('content-type')).toContain('text/plain; version=0.0.4');
    const text = await response.text();
    for (const name of BOARD) expect(text).toMatch(new RegExp(`^${name}\\{[^\\n]*model_name="fake"`, 'm'));
    for (const [type, names] of Object.entries(TYPES)) {
      for (const name of names) expect(text).toContain(`# TYPE ${name} ${type}\n`);
    }
  });

  test.each(Object.entries(BUCKETS))('%s has vLLM’s buckets', async (name, bounds) => {
    const { url } = await startServer();
    const found = [...(await scrape(url)).matchAll(new RegExp(`^vllm:${name}_bucket\\{le="([^"]+)"`, 'gm'))];
    expect(found.map(([, bound]) => bound).join(' ')).toBe(bounds);
  });

  test('count what happened, also before the first scrape', async () => {
    const { url } = await startServer({ reply: () => 'abc' });
    await postOk(`${url}/v1/completions`, { prompt: 'xy' });
    const text = await scrape(url);
    for (const line of [
      `vllm:prompt_tokens_total{${labels}} 3`,
      `vllm:generation_tokens_total{${labels}} 4`,
      `vllm:request_success_total{${labels},finished_reason="stop"} 1`,
      `vllm:request_success_total{${labels},finished_reason="error"} 0`,
      `vllm:request_success_total{${labels},finished_reason="repetition"} 0`,
      `vllm:time_to_first_token_seconds_sum{${labels}} 0.005`,
      `vllm:inter_token_latency_seconds_count{${labels}} 3`,
      `vllm:e2e_request_latency_seconds_bucket{le="0.3",${labels}} 1`,
      `vllm:request_decode_time_seconds_sum{${labels}} 0.02`,
      `vllm:request_params_max_tokens_bucket{le="20",${labels}} 1`,
      `vllm:request_params_max_tokens_bucket{le="10",${labels}} 0`,
      `kvasir:step_seconds_count{${labels}} 4`,
      `kvasir:step_compute_seconds_sum{${labels}} 0.08`,
      'http_requests_total{method="POST",status="2xx",handler="/v1/completions"} 1',
    ]) {
      expect(text).toContain(`${line}\n`);
    }
  });

  test('count choices one by one', async () => {
    const { url } = await startServer({ reply: () => 'abc' });
    await postOk(`${url}/v1/completions`, { prompt: 'xy', n: 2 });
    const text = await scrape(url);
    expect(text).toContain(`vllm:request_params_n_sum{${labels}} 2\n`);
    expect(text).toContain(`vllm:request_generation_tokens_sum{${labels}} 11\n`);
    expect(text).toContain(`vllm:request_max_num_generation_tokens_sum{${labels}} 7\n`);
  });

  test('say what waits for what, where prompts came from, and how the cache is made', async () => {
    const hostTier = {
      numBlocks: 50,
      numCachedBlocks: 7,
      storedBlocks: 9,
      loadedBlocks: 4,
      evictedBlocks: 2,
      hitTokens: 64,
    };
    const counters = { numRequests: 3, numFinished: 2, promptTokens: 30, cachedPromptTokens: 10, generationTokens: 5 };
    const { url } = await startServer({
      numbers: {
        numWaiting: 5,
        waitingByReason: { capacity: 3, fork: 2 },
        promptTokens: 300,
        cachedPromptTokens: 100,
        prefixQueriedTokens: 320,
        prefixHitTokens: 160,
        numPinnedBlocks: 6,
        hostTier,
        tenants: new Map([['alice', counters]]),
      },
    });
    const text = await scrape(url);
    for (const line of [
      `vllm:num_requests_waiting_by_reason{${labels},reason="capacity"} 3`,
      `vllm:num_requests_waiting_by_reason{${labels},reason="deferred"} 2`,
      `vllm:prompt_tokens_by_source_total{${labels},source="local_compute"} 200`,
      `vllm:prompt_tokens_by_source_total{${labels},source="local_cache_hit"} 100`,
      `vllm:prefix_cache_queries_total{${labels}} 320`,
      `vllm:prefix_cache_hits_total{${labels}} 96`,
      `vllm:external_prefix_cache_queries_total{${labels}} 224`,
      `vllm:external_prefix_cache_hits_total{${labels}} 64`,
      `kvasir:kv_blocks_pinned{${labels}} 6`,
      `kvasir:host_tier_blocks{${labels}} 50`,
      `kvasir:host_tier_blocks_loaded_total{${labels}} 4`,
      `kvasir:tenant_requests_total{${labels},tenant="alice"} 3`,
      `kvasir:tenant_prompt_tokens_cached_total{${labels},tenant="alice"} 10`,
    ]) {
      expect(text).toContain(`${line}\n`);
    }
    expect(text).toMatch(/^vllm:cache_config_info\{engine="0",block_size="None",.*num_gpu_blocks="4096".*\} 1$/m);
  });

  test('count refusals by code and lost clients', async () => {
    const { url, model } = await startServer({ manual: true, reply: () => 'x'.repeat(50) });
    expect((await post(`${url}/v1/completions`, { prompt: 7 })).status).toBe(400);
    await fetch(`${url}/made/up/by/a/client`);
    const controller = new AbortController();
    post(`${url}/v1/completions`, { prompt: 'x' }, {}, controller.signal).catch(() => undefined);
    await until(() => model.submitted.length === 1);
    controller.abort();
    await until(() => model.aborted.length === 1);
    const text = await scrape(url);
    expect(text).toContain(`kvasir:requests_refused_total{${labels},code="invalid_value"} 1\n`);
    expect(text).toContain(`kvasir:clients_lost_total{${labels},reason="disconnect"} 1\n`);
    expect(text).toContain('http_requests_total{method="none",status="4xx",handler="none"} 1\n');
    expect(text).not.toContain('made/up');
    model.step();
  });

  test('go to an injected registry, under a prefix of choice', async () => {
    const metricsRegistry = new Registry();
    const { url } = await startServer({}, { metricsRegistry, metricsPrefix: 'mine', servedModelNames: ['m'] });
    await fetch(`${url}/metrics`);
    const text = await metricsRegistry.metrics();
    expect(text).toContain('mine:num_requests_running{model_name="m",engine="0"} 0');
    expect(text).toContain('kvasir:kv_blocks{model_name="m",engine="0"} 4096');
    expect(text).not.toContain('vllm:');
  });

  test('are not kept for ever by a server that never listens and is never scraped', async () => {
    const metricsRegistry = new Registry();
    const server = createServer(new FakeModel({ reply: () => 'y', maxModelLen: 5000 }), { metricsRegistry });
    const ask = (max_tokens: number) =>
      server.fastify.inject({
        method: 'POST',
        url: '/v1/completions',
        payload: { prompt: 'x', max_tokens, ignore_eos: true },
      });
    await ask(3);
    expect(metricsRegistry.getMetricsAsArray()).toEqual([]);
    await ask(4000);
    await expect.poll(() => metricsRegistry.getMetricsAsArray().length).toBeGreaterThan(0);
    const text = await metricsRegistry.metrics();
    expect(text).toContain('vllm:generation_tokens_total{model_name="fake",engine="0"} 4003');
    expect(text).toMatch(/vllm:time_to_first_token_seconds_count\{[^}]*\} 2\n/);
    await server.close();
  });

  test('scraping twice counts nothing twice', async () => {
    const { url } = await startServer({ reply: () => 'abc' });
    await postOk(`${url}/v1/completions`, { prompt: 'xy' });
    const ofEngine = async () => (await scrape(url)).split('\n').filter((line) => /^(vllm|kvasir):/.test(line));
    const first = await ofEngine();
    expect(first.length).toBeGreaterThan(100);
    expect(await ofEngine()).toEqual(first);
  });
});
