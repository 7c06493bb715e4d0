import type { SessionPlan } from '@kvasir/interfaces';
import { blocksOfSequence } from './sequence-blocks.js';

/** Sequences a compute thread: about where a step of one token each no longer costs less a token with every one more. */
const SEQUENCES_PER_THREAD = 32;
const MIN_BY_COMPUTE = 64;
const MAX_BY_COMPUTE = 256;
/** Prompt and output of a typical request, in tokens. */
const TYPICAL_LENGTH = 1024;
/** Fewer are never derived: a tight pool preempts rather than queues. */
const MIN_BY_MEMORY = 4;

/** Sequences that a machine computes side by side to advantage: 32 a thread, within 64 and 256. */
export function maxNumSeqsByCompute(numThreads: number): number {
  return Math.min(MAX_BY_COMPUTE, Math.max(MIN_BY_COMPUTE, SEQUENCES_PER_THREAD * numThreads));
}

/** Sequences of typical length (1,024 tokens, or `maxModelLen` if that is less) that the pool holds, at least 4. */
export function maxNumSeqsByMemory(
  plan: SessionPlan,
  pool: {
    readonly numBlocks: number;
    readonly blockSize: number;
    readonly maxModelLen: number;
    readonly maxNumBatchedTokens: number;
  },
): number {
  const { kvGroups } = plan;
  const { numBlocks, maxModelLen, ...rest } = pool;
  const blocks = blocksOfSequence({ ...rest, kvGroups, length: Math.min(TYPICAL_LENGTH, maxModelLen) });
  return Math.max(MIN_BY_MEMORY, Math.floor((numBlocks - 1) / Math.max(1, blocks)));
}
