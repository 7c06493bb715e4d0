import type { Encoding, NumericMode } from '@kvasir/interfaces';
import { type CpuIsa, loadAddon } from './addon.js';
import { isaIndex } from './native/describe-session.js';
import { encodingIndex } from './native/encoding-index.js';
import { callNative } from './native-error.js';

/** Decodes one encoded row of `k` elements with the native decoder. For tests. */
export function decodeRow(encoding: Encoding, bytes: Uint8Array, k: number): Float32Array {
  return callNative(() => loadAddon().testing.decodeRow(encodingIndex(encoding, 'row'), bytes, k));
}

/** A native linear layer as a plain function. For tests. */
export interface LinearCase {
  readonly n: number;
  readonly k: number;
  readonly encoding: Encoding;
  /** `[n, k]`, encoded. */
  readonly weights: Uint8Array;
  /** `[m, k]`. */
  readonly x: Float32Array;
  readonly mode: NumericMode;
  readonly isa: CpuIsa;
  readonly hasBf16?: boolean;
  /** Rows are stored in interleaved rope order of such heads. */
  readonly ropeHeadDim?: number;
}

/** `x * weights^T`, `[m, n]`, through packing and the kernel that a session would use. For tests. */
export function linear(c: LinearCase): Float32Array {
  const encoding = encodingIndex(c.encoding, 'weights');
  return callNative(() =>
    loadAddon().testing.linear(
      c.n,
      c.k,
      encoding,
      c.mode === 'float32' ? 1 : 0,
      isaIndex(c.isa),
      c.hasBf16 ?? false,
      c.ropeHeadDim ?? 0,
      c.weights,
      c.x,
    ),
  );
}
