import { createKvCacheManager } from '@kvasir/block-manager';
import { InvalidArgumentError, type Session, type SessionOptions, type Tokenizer } from '@kvasir/interfaces';
import type { ModelDescription } from '@kvasir/model';
import { createScheduler } from '@kvasir/scheduler';
import { loadTokenizer } from '@kvasir/tokenizer';
import { Engine } from '../engine.js';
import { InsufficientMemoryError } from '../errors.js';
import { availableMemoryBytes } from '../memory/available-memory.js';
import { formatBytes } from '../memory/format-bytes.js';
import { longestSequence } from '../memory/longest-sequence.js';
import { type MemoryReport, planMemory } from '../memory/plan-memory.js';
import { drawRandomSeed, seedSequence } from '../seeds.js';
import type { LoadOptions, LoadSizes } from './load-options.js';

/** An engine over a loaded model, and what it was made of. */
export interface OpenedEngine {
  readonly engine: Engine;
  readonly session: Session;
  readonly tokenizer: Tokenizer;
  readonly memory: MemoryReport;
}

/** Settles every limit from headers alone, then loads weights and tokenizer side by side. */
export async function openEngine(
  description: ModelDescription,
  options: LoadOptions,
  sizes: LoadSizes,
): Promise<OpenedEngine> {
  const { backend } = options;
  const wanted = wantedLength(description, sizes);
  const draft = sessionOptions(description, options, sizes, { maxModelLen: wanted, numBlocks: 2 });
  const plan = backend.planSession(draft);
  const { numBlocks, report } = planMemory({
    plan,
    ...sizes,
    maxModelLen: wanted,
    availableBytes: (options.availableMemoryBytes ?? availableMemoryBytes)(),
  });
  const kvCache = createKvCacheManager({
    numBlocks: Math.max(2, numBlocks),
    blockSize: sizes.blockSize,
    groups: plan.kvGroups,
    enablePrefixCaching: options.enablePrefixCaching ?? true,
  });
  const maxModelLen = longestSequence(kvCache, wanted);
  if (maxModelLen < (sizes.maxModelLen ?? 2)) {
    throw new InsufficientMemoryError(
      `the KV cache of ${formatBytes(report.kvCacheBytes)} (${kvCache.numBlocks} blocks of ${sizes.blockSize} tokens) holds a sequence of ${maxModelLen} tokens, maxModelLen is ${sizes.maxModelLen ?? wanted}: raise kvCacheMemoryBytes or lower maxModelLen`,
      report.kvCacheBytes,
      report.availableBytes,
    );
  }
  const final = sessionOptions(description, options, sizes, { maxModelLen, numBlocks: Math.max(2, numBlocks) });
  const [session, tokenizer] = await openBoth(description, options, final);
  const { maxNumSeqs, maxNumBatchedTokens, maxNumOutputs, maxQueuedRequests, maxLogprobs, maxInFlight } = sizes;
  const engine = new Engine({
    session,
    kvCache,
    tokenizer,
    eosTokenIds: final.eosTokenIds,
    scheduler: createScheduler({ kvCache, maxNumSeqs, maxNumBatchedTokens, maxNumOutputs, maxModelLen, maxInFlight }),
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
  return { engine, session, tokenizer, memory: report };
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

function sessionOptions(
  description: ModelDescription,
  options: LoadOptions,
  sizes: LoadSizes,
  pool: Pick<SessionOptions, 'maxModelLen' | 'numBlocks'>,
): SessionOptions {
  const { numThreads } = options;
  return {
    ...pool,
    programs: [description.program],
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
