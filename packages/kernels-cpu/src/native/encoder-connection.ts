import type { EncodeBatch, OpenSessionControl } from '@kvasir/interfaces';
import type { Addon, NativeEncoder } from '../addon.js';
import { callNative, nativeError } from '../native-error.js';
import type { NativeDescription } from './native-connection.js';

/** Settles what the one call under way was asked for. */
interface Pending {
  readonly resolve: (vectors: Float32Array) => void;
  readonly reject: (error: Error) => void;
}

/** The way to a native encoder, from before it is loaded until everything is freed. */
export class EncoderConnection {
  readonly #native: NativeEncoder;
  #onOpened: ((error: Error | undefined) => void) | undefined;
  #onFreed: (() => void) | undefined;
  #pending: Pending | undefined;

  constructor(addon: Addon, { numbers, texts }: NativeDescription, onProgress: OpenSessionControl['onProgress']) {
    this.#native = callNative(
      () =>
        new addon.NativeEncoder(numbers, texts, {
          onProgress: (loadedBytes, totalBytes) => onProgress?.({ loadedBytes, totalBytes }),
          onOpened: (code, message) =>
            this.#onOpened?.(code === undefined ? undefined : nativeError(code, message ?? code)),
          onBatch: (code, message, vectors) => this.#settle(code, message, vectors),
          onClosed: () => this.#onFreed?.(),
        }),
    );
  }

  /** Loads the weights; an abort of `signal` stops it early. */
  open(signal: AbortSignal | undefined): Promise<void> {
    const abort = () => this.abortOpen();
    signal?.addEventListener('abort', abort);
    return new Promise<void>((resolve, reject) => {
      this.#onOpened = (error) => (error === undefined ? resolve() : reject(error));
      this.#native.open();
    }).finally(() => signal?.removeEventListener('abort', abort));
  }

  abortOpen(): void {
    this.#native.abortOpen();
  }

  /** Runs one batch; the next only when this one is settled. */
  encode({ tokenIds, lengths }: EncodeBatch): Promise<Float32Array> {
    return new Promise((resolve, reject) => {
      callNative(() => this.#native.encode(tokenIds, lengths));
      this.#pending = { resolve, reject };
    });
  }

  /** Frees everything; nothing may be under way. */
  free(): Promise<void> {
    return new Promise((resolve) => {
      this.#onFreed = resolve;
      this.#native.close();
    });
  }

  #settle(code: string | undefined, message: string | undefined, vectors: Float32Array): void {
    const pending = this.#pending;
    this.#pending = undefined;
    if (code === undefined) pending?.resolve(vectors);
    else pending?.reject(nativeError(code, message ?? code));
  }
}
