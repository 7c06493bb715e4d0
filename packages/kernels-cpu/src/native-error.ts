import { InvalidArgumentError, KvasirError, UnsupportedError } from '@kvasir/interfaces';
import { InvalidBatchError } from './reference/check-encode-batch.js';
import { InvalidStepError } from './reference/invalid-step-error.js';

/** The error of this library for a code and message of native code. */
export function nativeError(code: string, message: string): KvasirError {
  if (code === 'ERR_INVALID_STEP') return new InvalidStepError(message);
  if (code === 'ERR_INVALID_BATCH') return new InvalidBatchError(message);
  if (code === 'ERR_UNSUPPORTED') return new UnsupportedError('transfer', message);
  if (code === 'ERR_INVALID_ARGUMENT') return new InvalidArgumentError('options', message);
  return new KvasirError(code, message);
}

/** Calls into the addon and turns what it throws into errors of this library. */
export function callNative<T>(call: () => T): T {
  try {
    return call();
  } catch (cause) {
    throw ownError(cause);
  }
}

/** {@link callNative} for what the addon promises. */
export async function awaitNative<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (cause) {
    throw ownError(cause);
  }
}

function ownError(cause: unknown): unknown {
  return cause instanceof Error && 'code' in cause && typeof cause.code === 'string'
    ? nativeError(cause.code, cause.message)
    : cause;
}
