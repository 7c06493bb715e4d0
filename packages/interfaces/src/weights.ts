/** Bytes `[offset, offset + length)` of file `file` (an index into `files` of the {@link Program}). */
export interface ByteRange {
  readonly file: number;
  readonly offset: number;
  readonly length: number;
}

/** A file that holds weights; the backend maps it by itself. */
export interface WeightFile {
  readonly path: string;
  readonly sizeBytes: number;
}

/** How the numbers of a tensor lie in its bytes. Kernels know encodings, never file formats. */
export type Encoding = DenseEncoding | BlockEncoding | GroupedEncoding;

/** One little-endian float an element, rows contiguous. */
export interface DenseEncoding {
  readonly kind: 'dense';
  readonly dtype: 'f32' | 'f16' | 'bf16';
}

/** Names of the self-contained block layouts. Each is specified bit by bit, with a reference decoder, in `@kvasir/quant`. */
export type BlockLayout = 'q4_0' | 'q4_1' | 'q5_0' | 'q5_1' | 'q8_0' | 'q4_k' | 'q5_k' | 'q6_k';

/**
 * A row is a run of blocks, each holding codes, scales and minimums together:
 * `w = scale[group] * code - minimum[group]`, where scales may themselves be coded against a super-block scale.
 */
export interface BlockEncoding {
  readonly kind: 'block';
  readonly layout: BlockLayout;
  /** Elements a block: 32, or 256 for the k layouts. */
  readonly blockSize: number;
  readonly blockBytes: number;
  /** Elements that share one effective scale: 32, or 16 for `q6_k`. */
  readonly groupSize: number;
  readonly bits: 4 | 5 | 6 | 8;
  /** Whether groups carry a minimum beside the scale (else codes are centred on a constant). */
  readonly hasMinimum: boolean;
}

/**
 * Codes, scales and zero points in parts of their own (GPTQ, AWQ, compressed-tensors, bitsandbytes).
 * Parts of a {@link WeightRecord} come in the order codes, scales, zeros, groupIndex, as far as they are named here.
 */
export interface GroupedEncoding {
  readonly kind: 'grouped';
  readonly bits: 2 | 3 | 4 | 8;
  /** Order of codes within their words; see `@kvasir/quant` for each. */
  readonly packOrder: string;
  /** Elements along K that share a scale; -1 is the whole row. */
  readonly groupSize: number;
  readonly scales: {
    readonly dtype: 'f32' | 'f16' | 'bf16' | 'u8';
    readonly nested?: { readonly groupSize: number; readonly offset: number };
  };
  readonly zeros?: { readonly dtype: 'packed' | 'f16'; readonly storedMinusOne: boolean };
  /** Value of each code, where codes are not linear. */
  readonly codebook?: readonly number[];
  /** Whether a part maps each input element to its group (act-order). */
  readonly hasGroupIndex?: boolean;
}

/** How a weight is cut when several devices share the model. */
export type Shard = 'row' | 'column' | 'replicated';

/** A rearrangement of rows that the backend applies when it loads a weight. */
export interface RowOrder {
  /** `interleaved-rope`: per head, stored row `2i` is row `i` and stored row `2i + 1` is row `i + headDim / 2`. */
  readonly kind: 'interleaved-rope';
  readonly numHeads: number;
  readonly headDim: number;
}

/** One tensor of a checkpoint: what it is called, how it is laid out and where its bytes are. */
export interface WeightRecord {
  readonly name: string;
  /** Row-major, slowest first: `[N, K]` for a linear weight (N outputs, K inputs), `[N]` for a vector. */
  readonly shape: readonly number[];
  readonly encoding: Encoding;
  readonly parts: readonly ByteRange[];
  readonly shard: Shard;
  /** Absent when rows are stored in their own order. */
  readonly rowOrder?: RowOrder;
}
