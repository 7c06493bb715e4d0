import type { SessionPlan } from '@kvasir/interfaces';
import { InsufficientMemoryError } from '../errors.js';
import { formatBytes } from './format-bytes.js';
import { blocksOfSequence } from './sequence-blocks.js';

/** Where the memory of a loaded model goes. */
export interface MemoryReport {
  /** Prepacked weights. */
  readonly weightBytes: number;
  /** Mapped checkpoint that stays resident. */
  readonly mappedBytes: number;
  readonly scratchBytes: number;
  readonly kvCacheBytes: number;
  /** Host tier in memory; 0 when there is none or it lies in a file. */
  readonly hostKvCacheBytes: number;
  /** What the process could take when the model was loaded. */
  readonly availableBytes: number;
}

/** What {@link planMemory} decides on. */
export interface MemoryDemand {
  readonly plan: SessionPlan;
  readonly blockSize: number;
  readonly maxModelLen: number;
  readonly maxNumSeqs: number;
  readonly maxNumBatchedTokens: number;
  /** Given by the user; `undefined` lets the machine decide. */
  readonly kvCacheMemoryBytes: number | undefined;
  /** Memory that the host tier takes: 0 for none and for one in a file. */
  readonly hostKvCacheBytes: number;
  readonly availableBytes: number;
}

/** The pool: blocks, null block included, and the report. */
export interface MemoryPlan {
  readonly numBlocks: number;
  readonly report: MemoryReport;
}

/** More KV than this is not taken without being asked for. */
const DEFAULT_KV_LIMIT_BYTES = 4 * 2 ** 30;
/** Share of the memory left beside the weights that the KV cache takes by default; the rest is the process's and its neighbours'. */
const DEFAULT_KV_SHARE = 0.5;

/**
 * Sizes the KV pool: as asked for, or enough for `maxNumSeqs` sequences of full length within half of what is left and 4 GiB.
 * @throws {@link InsufficientMemoryError} If weights and pool do not fit into what is available, or a pool that was asked for holds no sequence.
 */
export function planMemory(demand: MemoryDemand): MemoryPlan {
  const { plan, availableBytes, kvCacheMemoryBytes, hostKvCacheBytes } = demand;
  const bytesPerBlock = Math.max(1, plan.kvGroups[0]?.bytesPerBlock ?? 1);
  const fixedBytes = plan.weightBytes + plan.mappedBytes + plan.scratchBytes + hostKvCacheBytes;
  const leftBytes = availableBytes - fixedBytes;
  const fullBytes = bytesPerBlock * (1 + demand.maxNumSeqs * blocksOfLongest(demand));
  const kvBytes =
    kvCacheMemoryBytes ?? Math.min(fullBytes, DEFAULT_KV_LIMIT_BYTES, Math.floor(leftBytes * DEFAULT_KV_SHARE));
  const numBlocks = Math.min(Math.floor(kvBytes / bytesPerBlock), 2 ** 31 - 1);
  const report = {
    weightBytes: plan.weightBytes,
    mappedBytes: plan.mappedBytes,
    scratchBytes: plan.scratchBytes,
    kvCacheBytes: Math.max(0, numBlocks) * bytesPerBlock,
    hostKvCacheBytes,
    availableBytes,
  };
  const leastBlocks = 1 + plan.kvGroups.length;
  if (kvCacheMemoryBytes !== undefined && numBlocks < leastBlocks) {
    const leastBytes = leastBlocks * bytesPerBlock;
    throw new InsufficientMemoryError(
      `kvCacheMemoryBytes is ${kvCacheMemoryBytes}: expected at least ${leastBytes} (${leastBlocks} blocks of ${bytesPerBlock} bytes): raise it`,
      leastBytes,
      kvCacheMemoryBytes,
    );
  }
  const neededBytes = fixedBytes + Math.max(report.kvCacheBytes, bytesPerBlock * leastBlocks);
  if (neededBytes > availableBytes) {
    throw new InsufficientMemoryError(
      `the model needs ${formatBytes(neededBytes)} (${namesOf(demand)}, KV cache ${formatBytes(neededBytes - fixedBytes)}), ${formatBytes(availableBytes)} are available: free memory, take a smaller model, or lower ${hostKvCacheBytes > 0 ? 'hostKvCacheMemoryBytes, ' : ''}kvCacheMemoryBytes or maxNumBatchedTokens`,
      neededBytes,
      availableBytes,
    );
  }
  return { numBlocks, report };
}

function blocksOfLongest({ plan, maxModelLen, ...rest }: MemoryDemand): number {
  return blocksOfSequence({ ...rest, kvGroups: plan.kvGroups, length: maxModelLen });
}

function namesOf({ plan, hostKvCacheBytes }: MemoryDemand): string {
  const parts = [
    `weights ${formatBytes(plan.weightBytes + plan.mappedBytes)}: ${formatBytes(plan.weightBytes)} packed and ${formatBytes(plan.mappedBytes)} of the file`,
    `buffers ${formatBytes(plan.scratchBytes)}`,
  ];
  if (hostKvCacheBytes > 0) parts.push(`host tier ${formatBytes(hostKvCacheBytes)}`);
  return parts.join(', ');
}
