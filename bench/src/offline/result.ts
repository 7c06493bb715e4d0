import type { Spread } from '../statistics.js';
import type { OfflineWork } from '../workload.js';

/** How near our median comes to what the machine can do. */
export interface Shares {
  readonly readBandwidthGBs: number;
  readonly int8TeraOps?: number;
  /** Bytes that the work must read, a second, over the read bandwidth. */
  readonly ofReadBandwidth: number;
  /** Int8 operations of the matrix products, a second, over the int8 peak. */
  readonly ofInt8Peak?: number;
}

/** One measurement of all engines. */
export interface OfflineResult {
  readonly model: string;
  readonly work: OfflineWork;
  readonly tokensPerSecond: Readonly<Record<string, Spread>>;
  /** Our first engine over each of the others, round by round. */
  readonly ratio: Readonly<Record<string, Spread>>;
  readonly shares: Shares;
  readonly samples: Readonly<Record<string, readonly number[]>>;
}
