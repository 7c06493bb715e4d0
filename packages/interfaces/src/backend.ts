import type { EncoderOptions, EncoderPlan, EncoderSession } from './encoder.js';
import type { KvGroup } from './kv-cache.js';
import type { DecoderProgram } from './program.js';
import type { StepBatch } from './step-batch.js';
import type { StepResult } from './step-result.js';

/** `float32`: weights, activations and sums in float32, the oracle-grade path. `auto`: the fast path of the weights' encoding. */
export type NumericMode = 'auto' | 'float32';

/**
 * Type of cached keys and values. `auto` is the backend's choice for the mode. `int8` keeps one scale a token and KV head, never one
 * a block, so that what a token is stored as depends on that token alone.
 */
export type KvCacheDtype = 'auto' | 'float32' | 'float16' | 'bfloat16' | 'int8';

/** What a backend runs on. */
export interface DeviceInfo {
  readonly backend: string;
  /** Name of the processor or card. */
  readonly device: string;
  /** Kernel path that is live, for example `avx512-vnni`. */
  readonly kernelPath: string;
  /** Paths that this machine could run, best first. */
  readonly kernelPaths: readonly string[];
  /** Detected features, for example `avx512_bf16`. */
  readonly features: readonly string[];
  readonly numThreads: number;
}

/**
 * A second, larger pool of blocks of the session's own layout, reached by `store` and `load` transfers only.
 * Host block ids are a space of their own, counted as those of the pool: 0 is the null block.
 */
export interface HostTierPool {
  /** Blocks, the null block included. */
  readonly numBlocks: number;
  /**
   * A file that holds the tier: created for this session alone, its size reserved, and removed from its folder at once, so that
   * nothing stays behind however the process ends. Absent: anonymous memory.
   */
  readonly path?: string;
}

/** What a session is made of. Limits are fixed for its life and bound every buffer. */
export interface SessionOptions {
  /** Programs that share slots and KV pool; slot ops name them by index. The first is the target. */
  readonly programs: readonly DecoderProgram[];
  readonly mode: NumericMode;
  readonly kvCacheDtype: KvCacheDtype;
  /** Tokens a block. */
  readonly blockSize: number;
  /** Blocks in the pool, the null block included. */
  readonly numBlocks: number;
  /** Default: none, and `load` and `store` transfers are refused. */
  readonly hostTier?: HostTierPool;
  readonly maxSlots: number;
  /** Longest history of a slot. */
  readonly maxModelLen: number;
  readonly maxTokensPerStep: number;
  readonly maxOutputsPerStep: number;
  /** Largest `topK` of an output. */
  readonly maxTopLogprobs: number;
  /** Steps that may be submitted before the first has its result: 1 or 2. */
  readonly maxInFlight: number;
  /** Token ids that end a slot unless it ignores EOS. */
  readonly eosTokenIds: readonly number[];
  /** Compute threads; default: one a physical core available. */
  readonly numThreads?: number;
}

/** What a session would need, computed from headers alone. */
export interface SessionPlan {
  /** Prepacked weights and tables the session holds by itself. */
  readonly weightBytes: number;
  /** Mapped checkpoint bytes that stay resident beside them. */
  readonly mappedBytes: number;
  /** Activations, logits and result buffers at the given limits. */
  readonly scratchBytes: number;
  /** The host tier, in memory or in its file; 0 without one. */
  readonly hostTierBytes: number;
  readonly kvGroups: readonly KvGroup[];
  /** The type that `auto` stands for. */
  readonly kvCacheDtype: Exclude<KvCacheDtype, 'auto'>;
}

/** What a session reports about itself. */
export interface SessionInfo {
  /** Names everything that decides bits: weights, program, mode, kernel path, KV type. KV bytes move only between equal ids. */
  readonly numericsId: string;
  readonly device: DeviceInfo;
  readonly plan: SessionPlan;
}

/** Progress of loading weights. */
export interface LoadProgress {
  readonly loadedBytes: number;
  readonly totalBytes: number;
}

/** How opening a session reports and is cancelled. */
export interface OpenSessionControl {
  /** Called now and then while weights are packed. */
  readonly onProgress?: (progress: LoadProgress) => void;
  readonly signal?: AbortSignal;
}

/** Compiles Programs and runs steps on one kind of device. */
export interface Backend {
  readonly specificationVersion: 1;
  readonly deviceInfo: DeviceInfo;

  /** Validates `options` against the programs and computes what a session would take; reads no weights. */
  planSession(options: SessionOptions): SessionPlan;

  /**
   * Maps the files, packs the weights on the backend's own threads and allocates every buffer. The event loop is never blocked.
   * @throws {@link UnsupportedError} For an op or encoding that the backend does not build.
   */
  openSession(options: SessionOptions, control?: OpenSessionControl): Promise<Session>;

  /** As {@link Backend.planSession}, for an encoder. */
  planEncoder(options: EncoderOptions): EncoderPlan;

  /** As {@link Backend.openSession}, for an encoder. */
  openEncoder(options: EncoderOptions, control?: OpenSessionControl): Promise<EncoderSession>;
}

/** Weights, KV pool and slots on a device. Runs one step at a time, in the order of submission. */
export interface Session {
  readonly info: SessionInfo;

  /**
   * Runs one step: slot ops, table updates, transfers, forward, sampling and verification, in one native call.
   * At most `maxInFlight` steps may be outstanding. `batch` must not change until the promise settles.
   * A step that fails publishes nothing: slots and KV are as before it.
   * @throws {@link KvasirError} `ERR_INVALID_STEP` For a batch that breaks the layout, a limit or a reference; nothing was run.
   */
  step(batch: StepBatch): Promise<StepResult>;

  /** A copy of the bytes of one block in one group, in the session's own layout. Only while no step is outstanding. */
  readBlock(group: number, block: number): Promise<Uint8Array>;

  /** Overwrites one block with bytes of a session of equal `numericsId`. Only while no step is outstanding. */
  writeBlock(group: number, block: number, bytes: Uint8Array): Promise<void>;

  /** Waits for outstanding steps, then frees everything. Further calls reject with `ERR_SESSION_CLOSED`. */
  close(): Promise<void>;
}
