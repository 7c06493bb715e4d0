import { constants } from 'node:os';
import { KvasirError } from '@kvasir/interfaces';

/** A signal that asks a program to end. */
export type ShutdownSignal = 'SIGINT' | 'SIGTERM';

/** `serve` was asked to end, and cut off requests that did not end within `--drain-timeout`. */
export const CUT_OFF_EXIT = 3;

/** What shells report of a program that this signal has ended. */
export function signalExit(signal: ShutdownSignal): number {
  return 128 + constants.signals[signal];
}

/**
 * Calls `listener` at each SIGINT and SIGTERM instead of ending the process.
 * @returns Ends that; afterwards signals do what they do by default.
 */
export function onShutdownSignal(listener: (signal: ShutdownSignal) => void): () => void {
  process.on('SIGINT', listener);
  process.on('SIGTERM', listener);
  return () => {
    process.off('SIGINT', listener);
    process.off('SIGTERM', listener);
  };
}

/** A signal came while a model was fetched or loaded. */
export class InterruptedError extends KvasirError {
  /** What shells report of a program that this signal has ended. */
  readonly exitCode: number;

  constructor(signal: ShutdownSignal) {
    super('ERR_INTERRUPTED', `interrupted by ${signal}`);
    this.exitCode = signalExit(signal);
  }
}

/**
 * Does work that a signal cancels, so that it cleans up after itself; a second signal ends the process.
 * @throws {@link InterruptedError}
 */
export async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const cancel = new AbortController();
  const ignoreSignals = onShutdownSignal((signal) => {
    ignoreSignals();
    cancel.abort(new InterruptedError(signal));
  });
  try {
    return await work(cancel.signal);
  } catch (error) {
    cancel.signal.throwIfAborted();
    throw error;
  } finally {
    ignoreSignals();
  }
}
