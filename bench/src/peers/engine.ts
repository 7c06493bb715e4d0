import type { OfflineWork } from '../workload.js';

/** An engine under test, without HTTP. Between runs it must be idle. */
export interface OfflineEngine {
  readonly name: string;
  readonly version: string;
  /** Tokens per second of one measurement. */
  run(work: OfflineWork, round: number): Promise<number>;
  close(): Promise<void>;
}
