import type { DeviceInfo, NumericMode } from './backend.js';
import type { EncoderProgram } from './program.js';

/** What an encoder session is made of. Limits are fixed for its life and bound every buffer. */
export interface EncoderOptions {
  readonly program: EncoderProgram;
  readonly mode: NumericMode;
  readonly maxTokensPerBatch: number;
  readonly maxSequencesPerBatch: number;
  /** Compute threads; default: one a physical core available. */
  readonly numThreads?: number;
}

/** What an encoder session would need, computed from headers alone. */
export interface EncoderPlan {
  /** Prepacked weights and tables the session holds by itself. */
  readonly weightBytes: number;
  /** Mapped checkpoint bytes that stay resident beside them. */
  readonly mappedBytes: number;
  /** Activations and vectors at the given limits. */
  readonly scratchBytes: number;
}

/** What an encoder session reports about itself. */
export interface EncoderInfo {
  /** Names everything that decides bits: weights, program, mode and kernel path. Vectors compare bit by bit only between equal ids. */
  readonly numericsId: string;
  readonly device: DeviceInfo;
  readonly plan: EncoderPlan;
}

/** Sequences of one batch, packed without padding. */
export interface EncodeBatch {
  /** Sequences one after another, special tokens included. */
  readonly tokenIds: Int32Array;
  /** Tokens of each sequence, all above 0; their sum is the length of `tokenIds`. */
  readonly lengths: Int32Array;
}

/** Weights of an encoder on a device. Each sequence's bits are the same alone or with others, whatever the order and the threads. */
export interface EncoderSession {
  readonly info: EncoderInfo;
  /** Numbers a vector. */
  readonly width: number;

  /**
   * Vectors `[lengths.length, width]`, pooled and, if the program says so, normalised; the array is the caller's. One native call a batch.
   * Calls run one at a time in the order they were made; `batch` must not change until the promise settles.
   * @throws {@link KvasirError} `ERR_INVALID_BATCH` For a batch that is over a limit or names a token outside the vocabulary; nothing was run.
   */
  encode(batch: EncodeBatch): Promise<Float32Array>;

  /** Waits for outstanding batches, then frees everything. Further calls reject with `ERR_SESSION_CLOSED`. */
  close(): Promise<void>;
}
