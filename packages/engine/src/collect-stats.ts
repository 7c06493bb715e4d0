import type { KvCacheManager, Scheduler } from '@kvasir/interfaces';
import type { Meters } from './meters.js';
import type { EngineStats } from './observer.js';
import type { RequestRunner } from './requests/request-runner.js';

/** What scheduler, KV cache and meters say now, as one record. */
export function collectStats(
  scheduler: Scheduler,
  kvCache: KvCacheManager,
  meters: Meters,
  { numQueued }: Pick<RequestRunner, 'numQueued'>,
): EngineStats {
  const { numRunning, numWaiting, waitingByReason, numPreemptions, numBypasses } = scheduler.stats();
  const { numBlocks, numFreeBlocks } = kvCache;
  const { prefixQueriedTokens, prefixHitTokens, numCachedBlocks, numPinnedBlocks, evictedBlocks, hostTier } =
    kvCache.stats();
  return {
    numRunning,
    numWaiting,
    waitingByReason,
    numQueued,
    kvCacheUsage: numBlocks === 0 ? 0 : 1 - numFreeBlocks / numBlocks,
    numBlocks,
    numFreeBlocks,
    numRequests: meters.numRequests,
    promptTokens: meters.promptTokens,
    cachedPromptTokens: meters.cachedPromptTokens,
    generationTokens: meters.generationTokens,
    numPreemptions,
    numBypasses,
    prefixQueriedTokens,
    prefixHitTokens,
    numCachedBlocks,
    numPinnedBlocks,
    numEvictedBlocks: evictedBlocks,
    hostTier,
    finished: { ...meters.finished },
    numSteps: meters.numSteps,
    numFailedSteps: meters.numFailedSteps,
    numDeadlinesExceeded: meters.numDeadlinesExceeded,
    tenants: meters.tenants.all,
  };
}
