import { availableParallelism } from 'node:os';
import { loadAddon } from './addon.js';
import { integer } from './check-session-options.js';
import { awaitNative } from './native-error.js';

/** What {@link measureInt8Peak} may be told. */
export interface Int8PeakOptions {
  /** Default: one a processor that this process may use. */
  readonly numThreads?: number;
}

/**
 * Runs the int8 dot-product instruction of the best kernel path from registers on every thread and takes the best pass.
 * Prefill is bound by this number. Threads of its own compute; the event loop stays free.
 * @returns Operations a second, a multiply and an add counting as two; `undefined` where the best path has no such instruction.
 * @throws `InvalidArgumentError` For a number of threads outside 1 to 1024.
 */
export async function measureInt8Peak({
  numThreads = availableParallelism(),
}: Int8PeakOptions = {}): Promise<number | undefined> {
  integer('numThreads', numThreads, 1, 1024);
  const opsPerSecond = await awaitNative(() => loadAddon().measureInt8Peak(numThreads));
  return opsPerSecond === 0 ? undefined : opsPerSecond;
}
