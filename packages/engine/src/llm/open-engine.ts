import type { KvCacheDtype, Session, SessionOptions, Tokenizer } from '@kvasir/interfaces';
import type { ModelDescription } from '@kvasir/model';
import { createScheduler } from '@kvasir/scheduler';
import { loadTokenizer } from '@kvasir/tokenizer';
import { Engine } from '../engine.js';
import type { MemoryReport } from '../memory/plan-memory.js';
import { drawRandomSeed, seedSequence } from '../seeds.js';
import type { LoadOptions, LoadSizes } from './load-options.js';
import { settleLimits } from './settle-limits.js';

/** An engine over a loaded model, and what it was made of. */
export interface OpenedEngine {
  readonly engine: Engine;
  readonly session: Session;
  readonly tokenizer: Tokenizer;
  readonly memory: MemoryReport;
  readonly kvCacheConfig: KvCacheConfig;
}

/** How the KV cache of a loaded model is laid out. */
export interface KvCacheConfig {
  /** Tokens a block. */
  readonly blockSize: number;
  readonly numBlocks: number;
  /** Blocks of the host tier; 0 without one. */
  readonly numHostBlocks: number;
  readonly dtype: KvCacheDtype;
  /** Of the pool, without the host tier. */
  readonly sizeBytes: number;
  readonly enablePrefixCaching: boolean;
}

/** Settles every limit from headers alone, then loads weights and tokenizer side by side. */
export async function openEngine(
  description: ModelDescription,
  options: LoadOptions,
  asked: LoadSizes,
): Promise<OpenedEngine> {
  const settled = settleLimits(description, options, asked);
  const { sizes, maxModelLen, kvCache, loadCosts } = settled;
  const [session, tokenizer] = await openBoth(description, options, settled.session);
  const { maxNumSeqs, maxNumBatchedTokens, maxNumOutputs, maxQueuedRequests, maxLogprobs, maxInFlight } = sizes;
  const engine = new Engine({
    session,
    kvCache,
    tokenizer,
    eosTokenIds: settled.session.eosTokenIds,
    scheduler: createScheduler({
      kvCache,
      maxNumSeqs,
      maxNumBatchedTokens,
      maxNumOutputs,
      maxModelLen,
      maxInFlight,
      ...(options.policy === undefined ? {} : { policy: options.policy }),
      ...(options.tenantWeights === undefined ? {} : { tenantWeights: options.tenantWeights }),
      ...(options.targetItlMs === undefined ? {} : { targetItlMs: options.targetItlMs }),
    }),
    limits: {
      maxModelLen,
      maxNumSeqs,
      maxNumBatchedTokens,
      maxQueuedRequests,
      maxLogprobs,
      vocabSize: description.program.vocabSize,
      maxInFlight,
    },
    drawSeed: options.seed === undefined ? drawRandomSeed : seedSequence(BigInt(options.seed)),
  });
  if (loadCosts !== undefined) engine.observe(loadCosts);
  const kvCacheConfig: KvCacheConfig = {
    blockSize: kvCache.blockSize,
    numBlocks: kvCache.numBlocks,
    numHostBlocks: settled.session.hostTier?.numBlocks ?? 0,
    dtype: session.info.plan.kvCacheDtype,
    sizeBytes: settled.memory.kvCacheBytes,
    enablePrefixCaching: options.enablePrefixCaching ?? true,
  };
  return { engine, session, tokenizer, memory: settled.memory, kvCacheConfig };
}

/** If one of them fails the other is not left behind. */
async function openBoth(
  description: ModelDescription,
  { backend, onProgress, signal }: LoadOptions,
  options: SessionOptions,
): Promise<[Session, Tokenizer]> {
  const [session, tokenizer] = await Promise.allSettled([
    backend.openSession(options, {
      ...(onProgress === undefined ? {} : { onProgress }),
      ...(signal === undefined ? {} : { signal }),
    }),
    loadTokenizer(description.tokenizer),
  ]);
  if (session.status === 'rejected') {
    if (tokenizer.status === 'fulfilled') await tokenizer.value.close?.();
    throw session.reason;
  }
  if (tokenizer.status === 'rejected') {
    await session.value.close();
    throw tokenizer.reason;
  }
  return [session.value, tokenizer.value];
}
