import type { ValueId, WeightId } from './ids.js';
import type { WeightFile, WeightRecord } from './weights.js';

/** Which rows a value has: one a token of the step, or one an output of the step. */
export type ValueRows = 'tokens' | 'outputs';

/** A float32 buffer `[rows, width]` of a step; the backend decides where it lives and for how long. */
export interface ValueSpec {
  readonly name: string;
  readonly rows: ValueRows;
  readonly width: number;
}

/** Rotation frequencies shared by rope ops: `angle = position * inverseFrequencies[i]`. */
export interface RopeTable {
  /** `[rotaryDim / 2]`, in double precision, scaling already applied. */
  readonly inverseFrequencies: readonly number[];
  /** Multiplies sine and cosine (YaRN-like scalings); 1 otherwise. */
  readonly attentionFactor: number;
}

/** What one attention layer keeps for each token. */
export interface KvLayerSpec {
  readonly numKvHeads: number;
  readonly headDim: number;
}

/** Layers whose keys and values live and die together; each group has a block table of its own. */
export interface KvGroupSpec {
  /** Indices into `kvLayers` of the {@link Program}. */
  readonly layers: readonly number[];
  readonly kind: 'full' | 'window';
  /** Tokens that a query sees, itself included; only for `window`. */
  readonly window?: number;
}

/** `out[t] = scale * weight[index[t]]`. */
export interface EmbedOp {
  readonly op: 'embed';
  readonly weight: WeightId;
  readonly out: ValueId;
  readonly scale: number;
  /** What picks the row: the token id (default), the position in the sequence, or the token type (0: one text a sequence). */
  readonly index?: 'token' | 'position' | 'tokenType';
}

/**
 * `out = input / sqrt(mean(input^2) + eps) * (weight + weightOffset)` over each run of `groupWidth` elements
 * (the whole row, or one head for q/k norms; `weight` has `groupWidth` elements).
 */
export interface RmsNormOp {
  readonly op: 'rmsNorm';
  readonly input: ValueId;
  readonly weight: WeightId;
  readonly out: ValueId;
  readonly eps: number;
  readonly weightOffset: 0 | 1;
  readonly groupWidth: number;
}

/** `out = (input - mean(input)) / sqrt(variance(input) + eps) * weight + bias`, over each row. */
export interface LayerNormOp {
  readonly op: 'layerNorm';
  readonly input: ValueId;
  readonly weight: WeightId;
  readonly bias: WeightId;
  readonly out: ValueId;
  readonly eps: number;
}

/** `out = input * weight^T (+ bias)`. Linears that share an input may be fused where encodings allow. */
export interface LinearOp {
  readonly op: 'linear';
  readonly input: ValueId;
  readonly weight: WeightId;
  readonly bias?: WeightId;
  readonly out: ValueId;
}

/** Rotates `value` in place, halves apart: element `i` pairs with element `i + rotaryDim / 2` of each head. */
export interface RopeOp {
  readonly op: 'rope';
  readonly value: ValueId;
  /** Index into `ropeTables` of the {@link Program}. */
  readonly table: number;
  readonly numHeads: number;
  readonly headDim: number;
}

/** Stores keys and values of the step's tokens into the cache of `layer`; ordered before any read of that layer. */
export interface KvWriteOp {
  readonly op: 'kvWrite';
  readonly key: ValueId;
  readonly value: ValueId;
  readonly layer: number;
}

/** Causal attention of each token over the cached tokens of its sequence (read from the cache only). */
export interface PagedAttentionOp {
  readonly op: 'pagedAttention';
  readonly query: ValueId;
  readonly out: ValueId;
  readonly layer: number;
  readonly numHeads: number;
  readonly scale: number;
  /** Tokens that a query sees, itself included; absent is all. Decides the mask alone: what the cache keeps is the group's affair. */
  readonly window?: number;
  /** `cap * tanh(score / cap)` before the softmax. */
  readonly softcap?: number;
}

/** Attention of each token over all tokens of its sequence, before and after it (encoders). */
export interface BidirectionalAttentionOp {
  readonly op: 'bidirectionalAttention';
  readonly query: ValueId;
  readonly key: ValueId;
  readonly value: ValueId;
  readonly out: ValueId;
  readonly numHeads: number;
  readonly scale: number;
}

/** A nonlinearity, element by element: `gelu` by the error function, `gelu-tanh` by its usual approximation. */
export type Activation = 'silu' | 'gelu-tanh' | 'gelu' | 'relu';

/** `out = activation(input)`. */
export interface ActivationOp {
  readonly op: 'activation';
  readonly activation: Activation;
  readonly input: ValueId;
  readonly out: ValueId;
}

/** `out = activation(gate) * up`. */
export interface GatedActivationOp {
  readonly op: 'gatedActivation';
  readonly activation: Exclude<Activation, 'relu'>;
  readonly gate: ValueId;
  readonly up: ValueId;
  readonly out: ValueId;
}

/** `out = a + b`. */
export interface AddOp {
  readonly op: 'add';
  readonly a: ValueId;
  readonly b: ValueId;
  readonly out: ValueId;
}

/** `out[o] = input[token row of output o]`: from here on only rows that are asked for are computed. */
export interface GatherOutputsOp {
  readonly op: 'gatherOutputs';
  readonly input: ValueId;
  readonly out: ValueId;
}

/** `value = cap * tanh(value / cap)`, in place. */
export interface SoftcapOp {
  readonly op: 'softcap';
  readonly value: ValueId;
  readonly cap: number;
}

/** Chooses `topK` experts a row: softmax over the chosen (or all) router logits; ties go to the lowest expert. */
export interface MoeRouteOp {
  readonly op: 'moeRoute';
  readonly logits: ValueId;
  readonly experts: ValueId;
  readonly expertWeights: ValueId;
  readonly topK: number;
  readonly normalize: boolean;
}

/** Sums `value` over the devices that share the model, in rank order. */
export interface AllReduceOp {
  readonly op: 'allReduce';
  readonly value: ValueId;
}

/**
 * Reduces the rows of a sequence to one vector (encoders): their mean, the first or the last.
 * `normalize`: `out = out / max(|out|, 1e-12)`.
 */
export interface PoolOp {
  readonly op: 'pool';
  readonly input: ValueId;
  readonly out: ValueId;
  readonly kind: 'mean' | 'cls' | 'last';
  readonly normalize: boolean;
}

/** One operation of a {@link Program}. A backend refuses an op it does not know when it compiles, never later. */
export type Op =
  | EmbedOp
  | RmsNormOp
  | LayerNormOp
  | LinearOp
  | RopeOp
  | KvWriteOp
  | PagedAttentionOp
  | BidirectionalAttentionOp
  | ActivationOp
  | GatedActivationOp
  | AddOp
  | GatherOutputsOp
  | SoftcapOp
  | MoeRouteOp
  | AllReduceOp
  | PoolOp;

/** A hidden state that a draft head may read: the value as it stands right after op `afterOp`. */
export interface Tap {
  readonly name: string;
  readonly value: ValueId;
  readonly afterOp: number;
}

/** What every Program has. */
interface ProgramCommon {
  readonly specificationVersion: 1;
  readonly name: string;
  readonly vocabSize: number;
  readonly hiddenSize: number;
  /** Positions the model was made for; longer sequences are refused. */
  readonly maxPositions: number;
  readonly files: readonly WeightFile[];
  readonly weights: readonly WeightRecord[];
  readonly values: readonly ValueSpec[];
  readonly ops: readonly Op[];
}

/** A causal language model: keys and values are kept, and outputs are logits. */
export interface DecoderProgram extends ProgramCommon {
  readonly kind: 'decoder';
  readonly ropeTables: readonly RopeTable[];
  readonly kvLayers: readonly KvLayerSpec[];
  readonly kvGroups: readonly KvGroupSpec[];
  readonly taps: readonly Tap[];
  /** Value `[outputs, vocabSize]` that sampling reads, after the last op. */
  readonly logits: ValueId;
}

/** A model that sees whole sequences at once and gives one vector for each: nothing is kept, nothing is sampled. */
export interface EncoderProgram extends ProgramCommon {
  readonly kind: 'encoder';
  /** Value `[outputs, width]` that a `pool` op writes; outputs are sequences. */
  readonly output: ValueId;
}

/**
 * A checkpoint as a flat list of ops over named tensors, shape-polymorphic in tokens and outputs.
 * Ops run in order; each value is written before it is read.
 */
export type Program = DecoderProgram | EncoderProgram;
