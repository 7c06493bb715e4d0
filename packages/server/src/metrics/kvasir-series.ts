import type { EngineNumbers, ServedEngineObserver, ServedModel, TenantNumbers } from '../served-model.js';
import { STEP_SECONDS_BUCKETS } from './buckets.js';
import type { Sample, Series } from './series.js';

type Read = (stats: EngineNumbers) => number | undefined;

const GAUGES: readonly (readonly [string, string, Read])[] = [
  ['kv_blocks', 'Blocks of the KV cache.', (stats) => stats.numBlocks],
  ['kv_blocks_free', 'Blocks that no sequence holds, cached ones included.', (stats) => stats.numFreeBlocks],
  ['kv_blocks_cached', 'Blocks with a prefix that may be found again.', (stats) => stats.numCachedBlocks],
  ['kv_blocks_pinned', 'Blocks that pinned prefixes hold.', (stats) => stats.numPinnedBlocks],
  ['host_tier_blocks', 'Blocks of the host tier; 0 without one.', (stats) => stats.hostTier?.numBlocks],
  ['host_tier_blocks_cached', 'Blocks of the host tier in use.', (stats) => stats.hostTier?.numCachedBlocks],
];

const COUNTERS: readonly (readonly [string, string, Read])[] = [
  ['bypasses', 'Times that a waiting sequence was passed by one that fitted.', (stats) => stats.numBypasses],
  ['kv_blocks_evicted', 'Cached blocks evicted for room.', (stats) => stats.numEvictedBlocks],
  ['host_tier_blocks_stored', 'Blocks moved to the host tier.', (stats) => stats.hostTier?.storedBlocks],
  ['host_tier_blocks_loaded', 'Blocks brought back from the host tier.', (stats) => stats.hostTier?.loadedBlocks],
  ['host_tier_blocks_evicted', 'Blocks dropped from the host tier.', (stats) => stats.hostTier?.evictedBlocks],
  ['host_tier_hit_tokens', 'Prompt tokens found in the host tier.', (stats) => stats.hostTier?.hitTokens],
  ['steps', 'Steps run.', (stats) => stats.numSteps],
  ['failed_steps', 'Steps that failed; their requests ended with an error.', (stats) => stats.numFailedSteps],
  ['deadlines_exceeded', 'Requests ended because of their deadline.', (stats) => stats.numDeadlinesExceeded],
];

const TENANT_COUNTERS: readonly (readonly [string, string, (tenant: TenantNumbers) => number])[] = [
  ['tenant_requests', 'Requests submitted, by tenant.', (tenant) => tenant.numRequests],
  ['tenant_requests_finished', 'Requests that ended, by tenant.', (tenant) => tenant.numFinished],
  ['tenant_prompt_tokens', 'Prompt tokens, by tenant.', (tenant) => tenant.promptTokens],
  ['tenant_prompt_tokens_cached', 'Cached prompt tokens, by tenant.', (tenant) => tenant.cachedPromptTokens],
  ['tenant_generation_tokens', 'Generation tokens, by tenant.', (tenant) => tenant.generationTokens],
];

/**
 * What vLLM has no name for. `showTenants: false` leaves the tenants out, whose names are not for everyone.
 * @returns What feeds the histograms.
 */
export function addKvasirSeries(
  series: Series,
  { engine }: ServedModel,
  { showTenants }: { readonly showTenants: boolean },
): ServedEngineObserver {
  for (const [name, help, read] of GAUGES) series.gauge(name, help, () => read(engine.stats()));
  for (const [name, help, read] of COUNTERS) series.counter(name, help, () => read(engine.stats()));
  for (const [name, help, read] of showTenants ? TENANT_COUNTERS : []) {
    series.counters(name, help, ['tenant'], () =>
      [...(engine.stats().tenants ?? [])].map(([tenant, numbers]): Sample => [{ tenant }, read(numbers)]),
    );
  }
  const elapsed = series.histogram('step_seconds', 'Submission of a step to its result.', STEP_SECONDS_BUCKETS);
  const compute = series.histogram('step_compute_seconds', 'A step in the backend.', STEP_SECONDS_BUCKETS);
  return {
    onStep: ({ elapsedMs, computeMs }) => {
      elapsed(elapsedMs === undefined ? undefined : elapsedMs / 1000);
      compute(computeMs === undefined ? undefined : computeMs / 1000);
    },
  };
}
