import type {
  Activation,
  BidirectionalAttentionOp,
  DecoderProgram,
  EmbedOp,
  EncoderProgram,
  GatedActivationOp,
  KvGroupSpec,
  KvLayerSpec,
  Op,
  PoolOp,
  RopeTable,
  RowOrder,
  Shard,
  Tap,
  ValueId,
  ValueRows,
  ValueSpec,
  WeightId,
  WeightRecord,
} from '@kvasir/interfaces';
import { InvalidArgumentError, UnsupportedError } from '@kvasir/interfaces';
import type { Checkpoint, TensorInfo } from '../checkpoint/checkpoint.js';
import { InvalidCheckpointError } from '../errors.js';

/** How a weight is used, where its shape does not say it. */
export interface WeightUse {
  readonly shard?: Shard;
  readonly rowOrder?: RowOrder;
}

/** How a norm differs from a plain one over the whole row. */
export interface NormUse {
  /** 1 when the checkpoint stores the scale minus one. */
  readonly weightOffset?: 0 | 1;
  readonly groupWidth?: number;
}

/** What {@link ProgramBuilder.attention} needs beside the query. */
export interface AttentionSpec {
  readonly layer: number;
  readonly numHeads: number;
  readonly scale: number;
  readonly window?: number;
  readonly softcap?: number;
}

/** Facts of a program that do not come from its ops. */
export interface ProgramFacts {
  readonly name: string;
  readonly maxPositions: number;
  readonly kvGroups: readonly KvGroupSpec[];
  /** Names of the taps to declare, each marked with {@link ProgramBuilder.mark} before. */
  readonly taps: readonly string[];
}

/** Writes a Program op by op; every method appends one op and returns the value it makes. */
export class ProgramBuilder {
  readonly #checkpoint: Checkpoint;
  readonly #tensorName: (name: string) => string;
  readonly #weights: WeightRecord[] = [];
  readonly #weightIds = new Map<string, WeightId>();
  readonly #values: ValueSpec[] = [];
  readonly #ropeTables: RopeTable[] = [];
  readonly #kvLayers: KvLayerSpec[] = [];
  readonly #ops: Op[] = [];
  readonly #marks = new Map<string, Tap>();

  /** @param tensorName - Turns a GGUF-style name into the checkpoint's own. */
  constructor(checkpoint: Checkpoint, tensorName: (name: string) => string = (name) => name) {
    this.#checkpoint = checkpoint;
    this.#tensorName = tensorName;
  }

  /** Whether the checkpoint has a tensor. */
  has(name: string): boolean {
    return this.#checkpoint.tensors.has(this.#tensorName(name));
  }

  /** Shape of a tensor. @throws {@link InvalidCheckpointError} If it is missing. */
  shape(name: string): readonly number[] {
    return this.#tensor(name).shape;
  }

  /**
   * Registers a tensor as a weight; the same tensor twice is one weight.
   * @throws {@link InvalidCheckpointError} If it is missing or has another shape.
   */
  weight(name: string, shape: readonly number[], use: WeightUse = {}): WeightId {
    const known = this.#weightIds.get(name);
    const tensor = this.#tensor(name);
    if (tensor.shape.length !== shape.length || tensor.shape.some((dimension, axis) => dimension !== shape[axis])) {
      const problem = `got shape [${tensor.shape.join(', ')}], expected [${shape.join(', ')}] from the model's settings`;
      throw new InvalidCheckpointError(this.#checkpoint.path, `tensor ${tensor.name}`, problem);
    }
    if (known !== undefined) return known;
    if (tensor.encoding === undefined) {
      throw new UnsupportedError(
        `tensor type ${tensor.dtype}`,
        `${this.#checkpoint.path}: tensor ${tensor.name} has type ${tensor.dtype}, which is not built yet; use a Q4_0 to Q8_0, Q4_K to Q6_K, F16, BF16 or F32 file`,
      );
    }
    this.#weights.push({
      name: tensor.name,
      shape,
      encoding: tensor.encoding,
      parts: [tensor.bytes],
      shard: use.shard ?? 'replicated',
      ...(use.rowOrder === undefined ? {} : { rowOrder: use.rowOrder }),
    });
    const id = (this.#weights.length - 1) as WeightId;
    this.#weightIds.set(name, id);
    return id;
  }

  ropeTable(table: RopeTable): number {
    return this.#ropeTables.push(table) - 1;
  }

  kvLayer(layer: KvLayerSpec): number {
    return this.#kvLayers.push(layer) - 1;
  }

  embed(weight: WeightId, scale = 1, index: EmbedOp['index'] = 'token'): ValueId {
    const out = this.#value('embedding', this.#columns(weight));
    this.#ops.push({ op: 'embed', weight, out, scale, ...(index === 'token' ? {} : { index }) });
    return out;
  }

  /** Normalises rows with the weight `${name}.weight` and the bias `${name}.bias`. */
  layerNorm(name: string, input: ValueId, eps: number): ValueId {
    const width = this.#width(input);
    const weight = this.weight(`${name}.weight`, [width]);
    const bias = this.weight(`${name}.bias`, [width]);
    const out = this.#value(name, width, this.#rows(input));
    this.#ops.push({ op: 'layerNorm', input, weight, bias, out, eps });
    return out;
  }

  /** Normalises runs of `groupWidth` elements with the weight `${name}.weight`; default: the whole row. */
  rmsNorm(
    name: string,
    input: ValueId,
    eps: number,
    { weightOffset = 0, groupWidth = this.#width(input) }: NormUse = {},
  ): ValueId {
    const weight = this.weight(`${name}.weight`, [groupWidth]);
    const out = this.#value(name, this.#width(input), this.#rows(input));
    this.#ops.push({ op: 'rmsNorm', input, weight, out, eps, weightOffset, groupWidth });
    return out;
  }

  /** Multiplies by `${name}.weight` and adds `${name}.bias` where the checkpoint has one. */
  project(name: string, input: ValueId, numOutputs: number, use: WeightUse): ValueId {
    const weight = this.weight(`${name}.weight`, [numOutputs, this.#width(input)], use);
    if (!this.has(`${name}.bias`)) return this.linear(name, input, weight);
    // The bias of a column-cut weight belongs to the sum over devices, so each keeps it whole and one adds it.
    const biasUse = use.shard === 'column' ? {} : use;
    return this.linear(name, input, weight, this.weight(`${name}.bias`, [numOutputs], biasUse));
  }

  /**
   * Logits of `input`: by `output.weight` when the checkpoint has it, else by the embedding.
   * Tensors decide, not `tie_word_embeddings`: configs are known to say either wrongly.
   */
  head(input: ValueId, embedding: WeightId): ValueId {
    const shape = this.#weights[embedding]?.shape as readonly number[];
    return this.linear(
      'logits',
      input,
      this.has('output.weight') ? this.weight('output.weight', shape, { shard: 'row' }) : embedding,
    );
  }

  /** Multiplies by a weight that is already registered. */
  linear(name: string, input: ValueId, weight: WeightId, bias?: WeightId): ValueId {
    const out = this.#value(name, this.#weights[weight]?.shape[0] as number, this.#rows(input));
    this.#ops.push({ op: 'linear', input, weight, ...(bias === undefined ? {} : { bias }), out });
    return out;
  }

  rope(value: ValueId, table: number, headDim: number): void {
    this.#ops.push({ op: 'rope', value, table, numHeads: this.#width(value) / headDim, headDim });
  }

  kvWrite(key: ValueId, value: ValueId, layer: number): void {
    this.#ops.push({ op: 'kvWrite', key, value, layer });
  }

  attention(query: ValueId, spec: AttentionSpec): ValueId {
    const out = this.#value(`attention.${spec.layer}`, this.#width(query));
    this.#ops.push({ op: 'pagedAttention', query, out, ...spec });
    return out;
  }

  bidirectionalAttention(name: string, spec: Omit<BidirectionalAttentionOp, 'op' | 'out'>): ValueId {
    const out = this.#value(name, this.#width(spec.query));
    this.#ops.push({ op: 'bidirectionalAttention', ...spec, out });
    return out;
  }

  activation(name: string, activation: Activation, input: ValueId): ValueId {
    const out = this.#value(name, this.#width(input), this.#rows(input));
    this.#ops.push({ op: 'activation', activation, input, out });
    return out;
  }

  gatedActivation(activation: GatedActivationOp['activation'], gate: ValueId, up: ValueId): ValueId {
    const out = this.#value(`gated.${this.#values.length}`, this.#width(gate));
    this.#ops.push({ op: 'gatedActivation', activation, gate, up, out });
    return out;
  }

  add(name: string, a: ValueId, b: ValueId): ValueId {
    const out = this.#value(name, this.#width(a), this.#rows(a));
    this.#ops.push({ op: 'add', a, b, out });
    return out;
  }

  gatherOutputs(input: ValueId): ValueId {
    const out = this.#value('gathered', this.#width(input), 'outputs');
    this.#ops.push({ op: 'gatherOutputs', input, out });
    return out;
  }

  pool(input: ValueId, kind: PoolOp['kind'], normalize: boolean): ValueId {
    const out = this.#value('pooled', this.#width(input), 'outputs');
    this.#ops.push({ op: 'pool', input, out, kind, normalize });
    return out;
  }

  softcap(value: ValueId, cap: number): void {
    this.#ops.push({ op: 'softcap', value, cap });
  }

  /** Names the state of `value` after the last op as a tap that may be asked for. */
  mark(name: string, value: ValueId): void {
    this.#marks.set(name, { name, value, afterOp: this.#ops.length - 1 });
  }

  /** The Program, whose `logits` is the given value. */
  finish(facts: ProgramFacts, embedding: ValueId, logits: ValueId): DecoderProgram {
    return {
      specificationVersion: 1,
      name: facts.name,
      kind: 'decoder',
      vocabSize: this.#width(logits),
      hiddenSize: this.#width(embedding),
      maxPositions: facts.maxPositions,
      files: this.#checkpoint.files,
      weights: this.#weights,
      values: this.#values,
      ropeTables: this.#ropeTables,
      kvLayers: this.#kvLayers,
      kvGroups: facts.kvGroups,
      ops: this.#ops,
      taps: facts.taps.map((name) => this.#tap(name)),
      logits,
    };
  }

  /** The Program of an encoder, whose vectors are the given value. @throws `InvalidArgumentError` For a tap: it has none. */
  finishEncoder(facts: Omit<ProgramFacts, 'kvGroups'>, vocabSize: number, output: ValueId): EncoderProgram {
    for (const name of facts.taps) this.#tap(name);
    return {
      specificationVersion: 1,
      name: facts.name,
      kind: 'encoder',
      vocabSize,
      hiddenSize: this.#width(output),
      maxPositions: facts.maxPositions,
      files: this.#checkpoint.files,
      weights: this.#weights,
      values: this.#values,
      ops: this.#ops,
      output,
    };
  }

  #tap(name: string): Tap {
    const tap = this.#marks.get(name);
    if (tap === undefined) {
      const names = [...this.#marks.keys()].join(', ') || '(this model has none)';
      throw new InvalidArgumentError('taps', `got the tap '${name}', expected one of: ${names}`);
    }
    return tap;
  }

  #tensor(name: string): TensorInfo {
    const own = this.#tensorName(name);
    const tensor = this.#checkpoint.tensors.get(own);
    if (tensor === undefined) throw new InvalidCheckpointError(this.#checkpoint.path, `tensor ${own}`, 'is missing');
    return tensor;
  }

  #value(name: string, width: number, rows: ValueRows = 'tokens'): ValueId {
    return (this.#values.push({ name, rows, width }) - 1) as ValueId;
  }

  #columns(weight: WeightId): number {
    return this.#weights[weight]?.shape.at(-1) as number;
  }

  #width(value: ValueId): number {
    return (this.#values[value] as ValueSpec).width;
  }

  #rows(value: ValueId): ValueRows {
    return (this.#values[value] as ValueSpec).rows;
  }
}
