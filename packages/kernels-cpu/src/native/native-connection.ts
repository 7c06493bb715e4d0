import type { OpenSessionControl } from '@kvasir/interfaces';
import type { Addon, NativeSession } from '../addon.js';
import type { CpuSession } from '../cpu-session.js';
import { callNative, nativeError } from '../native-error.js';

/** What is said to native code of one session, in the form of {@link Addon.NativeSession}. */
export interface NativeDescription {
  readonly numbers: Float64Array;
  readonly texts: readonly string[];
}

/** The way between a native session and its {@link CpuSession}, from before there is one until everything is freed. */
export class NativeConnection {
  readonly native: NativeSession;
  #session: CpuSession | undefined;
  #onOpened: ((error: Error | undefined) => void) | undefined;
  #onFreed: (() => void) | undefined;

  constructor(addon: Addon, { numbers, texts }: NativeDescription, onProgress: OpenSessionControl['onProgress']) {
    this.native = callNative(
      () =>
        new addon.NativeSession(numbers, texts, {
          onProgress: (loadedBytes, totalBytes) => onProgress?.({ loadedBytes, totalBytes }),
          onOpened: (code, message) =>
            this.#onOpened?.(code === undefined ? undefined : nativeError(code, message ?? code)),
          onStep: (code, message, ring) => this.#session?.settle(code, message, ring),
          onClosed: () => (this.#session === undefined ? this.#onFreed?.() : this.#session.closed()),
        }),
    );
  }

  /** Loads the weights; an abort of `signal` stops it early. */
  open(signal: AbortSignal | undefined): Promise<void> {
    const abort = () => this.native.abortOpen();
    signal?.addEventListener('abort', abort);
    return new Promise<void>((resolve, reject) => {
      this.#onOpened = (error) => (error === undefined ? resolve() : reject(error));
      this.native.open();
    }).finally(() => signal?.removeEventListener('abort', abort));
  }

  /** Events go to `session` from here on. */
  attach(session: CpuSession): void {
    this.#session = session;
  }

  /** Frees a native session that no one was given. */
  free(): Promise<void> {
    return new Promise((resolve) => {
      this.#onFreed = resolve;
      this.native.close();
    });
  }
}
