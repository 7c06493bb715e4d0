import { InvalidArgumentError, KvasirError, UnsupportedError } from '@kvasir/interfaces';
import { InvalidStepError } from './reference/invalid-step-error.js';

/** The error of this library for a code and message of native code. */
export function nativeError(code: string, message: string): KvasirError {
  if (code === 'ERR_INVALID_STEP') return new InvalidStepError(message);
  if (code === 'ERR_UNSUPPORTED') return new UnsupportedError('transfer', message);
  if (code === 'ERR_INVALID_ARGUMENT') return new InvalidArgumentError('options', message);
  return new KvasirError(code, message);
}

/** Calls into the addon and turns what it throws into errors of this library. */
export function callNative<T>(call: () => T): T {
  try {
    return call();
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && typeof cause.code === 'string') {
      throw nativeError(cause.code, cause.message);
    }
    throw cause;
  }
}
