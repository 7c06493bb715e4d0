import { createKvCacheManager, type KvCacheManagerOptions } from '@kvasir/block-manager';
import { InvalidArgumentError, type KvCacheManager, type SessionOptions, type SessionPlan } from '@kvasir/interfaces';
import { decoderProgram, type ModelDescription } from '@kvasir/model';
import { InsufficientMemoryError } from '../errors.js';
import { LoadCostMeter, measureCopyMs } from '../host-tier/load-cost-meter.js';
import { availableMemoryBytes } from '../memory/available-memory.js';
import { maxNumSeqsByMemory } from '../memory/derive-max-num-seqs.js';
import { formatBytes } from '../memory/format-bytes.js';
import { longestSequence } from '../memory/longest-sequence.js';
import { type MemoryReport, planMemory } from '../memory/plan-memory.js';
import { type LoadOptions, type LoadSizes, withMaxNumSeqs } from './load-options.js';

/** Everything that is settled before a byte of weights is read. */
export interface SettledLimits {
  readonly sizes: LoadSizes;
  readonly maxModelLen: number;
  readonly session: SessionOptions;
  readonly kvCache: KvCacheManager;
  readonly memory: MemoryReport;
  /** Present with a host tier: hears of every step. */
  readonly loadCosts: LoadCostMeter | undefined;
}

/**
 * Settles pool, host tier, longest sequence and number of sequences from headers alone.
 * @throws {@link InsufficientMemoryError} With the numbers, if the model does not fit as asked for.
 */
export function settleLimits(description: ModelDescription, options: LoadOptions, asked: LoadSizes): SettledLimits {
  const { backend } = options;
  const wanted = wantedLength(description, asked);
  const planFor = (sizes: LoadSizes) =>
    backend.planSession(sessionOptions(description, options, sizes, { maxModelLen: wanted, numBlocks: 2 }));
  const availableBytes = (options.availableMemoryBytes ?? availableMemoryBytes)();
  const hostKvCacheBytes = options.hostKvCachePath === undefined ? (asked.hostKvCacheMemoryBytes ?? 0) : 0;
  const demand = { ...asked, maxModelLen: wanted, hostKvCacheBytes, availableBytes };
  const first = planMemory({ ...demand, plan: planFor(asked) });
  const sizes = withMaxNumSeqs(asked, maxNumSeqsByMemory(planFor(asked), { ...demand, numBlocks: first.numBlocks }));
  const plan = planFor(sizes);
  const { numBlocks, report } =
    sizes === asked ? first : planMemory({ ...demand, ...sizes, maxModelLen: wanted, plan });
  const hostTier = hostTierOf(options, sizes, plan);
  const loadCosts = hostTier === undefined ? undefined : new LoadCostMeter(measureCopyMs(bytesPerBlock(plan)));
  const pool: KvCacheManagerOptions = {
    numBlocks: Math.max(2, numBlocks),
    blockSize: sizes.blockSize,
    groups: plan.kvGroups,
    enablePrefixCaching: options.enablePrefixCaching ?? true,
    ...(options.maxPinnedShare === undefined ? {} : { maxPinnedShare: options.maxPinnedShare }),
    ...(hostTier === undefined || loadCosts === undefined
      ? {}
      : { hostTier: { numBlocks: hostTier.numBlocks, isWorthLoading: loadCosts.isWorthLoading } }),
  };
  const kvCache = createKvCacheManager(pool);
  const maxModelLen = longestSequence(kvCache, wanted);
  if (maxModelLen < (sizes.maxModelLen ?? 2)) {
    throw new InsufficientMemoryError(
      `the KV cache of ${formatBytes(report.kvCacheBytes)} (${kvCache.numBlocks} blocks of ${sizes.blockSize} tokens) holds a sequence of ${maxModelLen} tokens, maxModelLen is ${sizes.maxModelLen ?? wanted}: raise kvCacheMemoryBytes or lower maxModelLen`,
      report.kvCacheBytes,
      report.availableBytes,
    );
  }
  const session = sessionOptions(description, options, sizes, {
    maxModelLen,
    numBlocks: pool.numBlocks,
    ...(hostTier === undefined ? {} : { hostTier }),
  });
  return { sizes, maxModelLen, session, kvCache, memory: report, loadCosts };
}

function wantedLength({ maxPositions, name }: ModelDescription, { maxModelLen }: LoadSizes): number {
  if (maxModelLen !== undefined && maxModelLen > maxPositions) {
    throw new InvalidArgumentError(
      'maxModelLen',
      `maxModelLen is ${maxModelLen}: ${name} was made for ${maxPositions} positions, expected at most that`,
    );
  }
  return maxModelLen ?? maxPositions;
}

function hostTierOf(
  { hostKvCachePath }: LoadOptions,
  { hostKvCacheMemoryBytes }: LoadSizes,
  plan: SessionPlan,
): SessionOptions['hostTier'] {
  if (hostKvCacheMemoryBytes === undefined) return undefined;
  const numBlocks = Math.min(Math.floor(hostKvCacheMemoryBytes / bytesPerBlock(plan)), 2 ** 31 - 1);
  if (numBlocks < 2) {
    throw new InvalidArgumentError(
      'hostKvCacheMemoryBytes',
      `hostKvCacheMemoryBytes is ${hostKvCacheMemoryBytes}: expected at least ${2 * bytesPerBlock(plan)}, two blocks`,
    );
  }
  return { numBlocks, ...(hostKvCachePath === undefined ? {} : { path: hostKvCachePath }) };
}

function bytesPerBlock({ kvGroups }: SessionPlan): number {
  return Math.max(1, kvGroups[0]?.bytesPerBlock ?? 1);
}

function sessionOptions(
  description: ModelDescription,
  options: LoadOptions,
  sizes: LoadSizes,
  pool: Pick<SessionOptions, 'maxModelLen' | 'numBlocks' | 'hostTier'>,
): SessionOptions {
  const { numThreads } = options;
  return {
    ...pool,
    programs: [decoderProgram(description)],
    mode: options.dtype ?? 'auto',
    kvCacheDtype: options.kvCacheDtype ?? 'auto',
    blockSize: sizes.blockSize,
    maxSlots: sizes.maxNumSeqs,
    maxTokensPerStep: sizes.maxNumBatchedTokens,
    maxOutputsPerStep: sizes.maxNumOutputs,
    maxTopLogprobs: sizes.maxLogprobs,
    maxInFlight: sizes.maxInFlight,
    eosTokenIds: eosTokenIds(description),
    ...(numThreads === undefined ? {} : { numThreads }),
  };
}

function eosTokenIds({ generation, tokenizer }: ModelDescription): readonly number[] {
  if (generation.eosTokenIds.length > 0) return generation.eosTokenIds;
  return tokenizer.eosTokenId === undefined ? [] : [tokenizer.eosTokenId];
}
