import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { KvasirError } from '@kvasir/interfaces';

/** Instruction sets that kernels are built for. */
export type CpuIsa = 'avx512' | 'avx2' | 'neon-dotprod' | 'neon' | 'scalar';

/** What the addon finds out about the machine. */
export interface CpuInfo {
  readonly brand: string;
  readonly features: readonly string[];
  /** Usable here, best first. */
  readonly isas: readonly CpuIsa[];
  readonly hasBf16: boolean;
  /** Physical cores in the affinity mask, at most the CPU quota of the control group. */
  readonly availableCores: number;
}

/** Byte counts of a session, from its description alone. */
interface NativePlan {
  readonly weightBytes: number;
  readonly mappedBytes: number;
  readonly scratchBytes: number;
  readonly hostTierBytes: number;
  readonly bytesPerBlock: number;
}

/** Called on the thread that made the session; none of them may throw. */
interface NativeCallbacks {
  onProgress(loadedBytes: number, totalBytes: number): void;
  onOpened(code: string | undefined, message: string | undefined): void;
  onStep(code: string | undefined, message: string | undefined, ring: number): void;
  onClosed(): void;
}

/** Time of one kind of phase since the trace was last taken. */
export interface TraceEntry {
  readonly label: string;
  readonly micros: number;
  readonly calls: number;
}

/** A session behind the addon. Methods throw errors that have a `code`. */
export interface NativeSession {
  open(): void;
  abortOpen(): void;
  /** Copies the words and returns the ring index that `onStep` will name. */
  submit(words: Int32Array, numWords: number): number;
  /** Writes outputs, rows, topIds and topLogprobs one after the other; counts: stepId, outputs, rows, top entries, microseconds. */
  takeResult(ring: number, arena: Int32Array, counts: Float64Array): void;
  readBlock(group: number, block: number): Uint8Array;
  writeBlock(group: number, block: number, bytes: Uint8Array): void;
  takeTrace(): readonly TraceEntry[];
  memory(): { readonly weightBytes: number; readonly scratchBytes: number; readonly numSlots: number };
  close(): void;
}

/** An encoder session behind the addon. One batch at a time. */
export interface NativeEncoder {
  open(): void;
  abortOpen(): void;
  /** Copies the batch; `onBatch` is called once with its vectors. */
  encode(tokenIds: Int32Array, lengths: Int32Array): void;
  close(): void;
}

/** As {@link NativeCallbacks}. */
interface NativeEncoderCallbacks {
  onProgress(loadedBytes: number, totalBytes: number): void;
  onOpened(code: string | undefined, message: string | undefined): void;
  onBatch(code: string | undefined, message: string | undefined, vectors: Float32Array): void;
  onClosed(): void;
}

/** Kernels one by one, for tests. */
interface NativeTesting {
  decodeRow(encoding: number, bytes: Uint8Array, k: number): Float32Array;
  linear(
    n: number,
    k: number,
    encoding: number,
    mode: number,
    isa: number,
    hasBf16: boolean,
    ropeHeadDim: number,
    weights: Uint8Array,
    x: Float32Array,
  ): Float32Array;
}

/** The surface of `kernels_cpu.node`. */
export interface Addon {
  readonly NativeSession: new (
    numbers: Float64Array,
    texts: readonly string[],
    callbacks: NativeCallbacks,
  ) => NativeSession;
  readonly NativeEncoder: new (
    numbers: Float64Array,
    texts: readonly string[],
    callbacks: NativeEncoderCallbacks,
  ) => NativeEncoder;
  planEncoder(
    numbers: Float64Array,
    texts: readonly string[],
  ): Pick<NativePlan, 'weightBytes' | 'mappedBytes' | 'scratchBytes'>;
  cpuInfo(): CpuInfo;
  planSession(numbers: Float64Array, texts: readonly string[]): NativePlan;
  measureInt8Peak(numThreads: number): Promise<number>;
  measureReadBandwidth(bytes: number, numThreads: number): Promise<number>;
  readonly testing: NativeTesting;
}

let addon: Addon | undefined;

/**
 * Loads the addon on first use: a local build, else the prebuild of this platform.
 * @throws `KvasirError` `ERR_ADDON_NOT_FOUND` When neither is there or loads.
 */
export function loadAddon(): Addon {
  if (addon !== undefined) return addon;
  // The package root from src/ and from dist/ alike.
  const root = fileURLToPath(new URL('..', import.meta.url));
  const require = createRequire(import.meta.url);
  try {
    addon = (require('node-gyp-build') as (directory: string) => Addon)(root);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new KvasirError(
      'ERR_ADDON_NOT_FOUND',
      `no native kernels for ${process.platform}-${process.arch}, Node ${process.version}: tried ${root}build/Release and ${root}prebuilds (${reason}). ` +
        'Build them with a C++17 compiler and Python: `npx node-gyp rebuild` in that folder, or `npm run build:native` in a checkout.',
      { cause },
    );
  }
  return addon;
}
