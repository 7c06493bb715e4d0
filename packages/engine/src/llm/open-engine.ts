import type { KvCacheDtype, Session, Tokenizer } from '@kvasir/interfaces';
import type { ModelDescription } from '@kvasir/model';
import { createScheduler } from '@kvasir/scheduler';
import { Engine } from '../engine.js';
import type { MemoryReport } from '../memory/plan-memory.js';
import { openWithTokenizer } from '../open-with-tokenizer.js';
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
  const [session, tokenizer] = await openWithTokenizer(description, options, (control) =>
    options.backend.openSession(settled.session, control),
  );
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
