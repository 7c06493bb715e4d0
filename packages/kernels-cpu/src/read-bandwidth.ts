import { availableParallelism } from 'node:os';
import { loadAddon } from './addon.js';
import { integer } from './check-session-options.js';
import { awaitNative } from './native-error.js';

/** What {@link measureReadBandwidth} may be told. */
export interface ReadBandwidthOptions {
  /** Size of the buffer, from 64 KiB to 16 GiB; well beyond the caches to measure memory. Default 256 MiB. */
  readonly bytes?: number;
  /** Default: one a processor that this process may use. */
  readonly numThreads?: number;
}

/**
 * Reads a buffer several times over and takes the best pass. Decoding is bound by this number: a token reads every weight once.
 * Threads of its own compute; the event loop stays free. The buffer is freed at the end.
 * @returns Bytes a second.
 * @throws `InvalidArgumentError` For sizes outside the ranges.
 */
export async function measureReadBandwidth({
  bytes = 256 * 2 ** 20,
  numThreads = availableParallelism(),
}: ReadBandwidthOptions = {}): Promise<number> {
  integer('bytes', bytes, 2 ** 16, 2 ** 34);
  integer('numThreads', numThreads, 1, 1024);
  return await awaitNative(() => loadAddon().measureReadBandwidth(bytes, numThreads));
}
