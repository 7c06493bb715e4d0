import {
  type EncodeBatch,
  type EncoderInfo,
  type EncoderOptions,
  type EncoderSession,
  KvasirError,
} from '@kvasir/interfaces';
import type { EncoderConnection } from './native/encoder-connection.js';
import { checkEncodeBatch } from './reference/check-encode-batch.js';

/** An encoder on the CPU. Batches run on threads of its own, one after the other; this object only hands words over and vectors back. */
export class CpuEncoder implements EncoderSession {
  readonly info: EncoderInfo;
  readonly width: number;
  readonly #connection: EncoderConnection;
  readonly #options: EncoderOptions;
  #last: Promise<unknown> = Promise.resolve();
  #closing: Promise<void> | undefined;

  /** @internal */
  constructor(info: EncoderInfo, options: EncoderOptions, connection: EncoderConnection) {
    this.info = info;
    this.width = options.program.values[options.program.output]?.width as number;
    this.#options = options;
    this.#connection = connection;
  }

  encode(batch: EncodeBatch): Promise<Float32Array> {
    return new Promise((resolve) => {
      if (this.#closing !== undefined) {
        throw new KvasirError('ERR_SESSION_CLOSED', 'the session is closed: open another');
      }
      checkEncodeBatch(batch, this.#options);
      const vectors = this.#last.then(() => this.#connection.encode(batch));
      this.#last = vectors.catch(() => undefined);
      resolve(vectors);
    });
  }

  close(): Promise<void> {
    this.#closing ??= this.#last.then(() => this.#connection.free());
    return this.#closing;
  }

  /** As {@link CpuEncoder.close}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
