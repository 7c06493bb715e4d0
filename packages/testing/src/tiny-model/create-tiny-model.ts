import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type {
  DecoderProgram,
  KvGroupSpec,
  Op,
  RopeTable,
  RowOrder,
  ValueId,
  ValueRows,
  ValueSpec,
  WeightId,
} from '@kvasir/interfaces';
import { seededRandom } from './random.js';
import type { TinyModelSpec } from './tiny-model-spec.js';
import { WeightWriter } from './weight-writer.js';

/** A DecoderProgram whose weights lie in a temporary folder until it is disposed of. */
export interface TinyModel extends Disposable {
  readonly program: DecoderProgram;
}

/** Writes random weights and the DecoderProgram that reads them. The same spec gives the same bytes. */
export function createTinyModel(spec: TinyModelSpec): TinyModel {
  const folder = mkdtempSync(join(tmpdir(), 'kvasir-tiny-'));
  const program = new TinyProgram(spec, new WeightWriter(join(folder, 'weights.bin'), seededRandom(spec.seed))).build();
  return { program, [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }) };
}

const EPS = 1e-6;
const GLOBAL_ROPE = 0;
const LOCAL_ROPE = 1;

class TinyProgram {
  readonly #spec: TinyModelSpec;
  readonly #weights: WeightWriter;
  readonly #values: ValueSpec[] = [];
  readonly #ops: Op[] = [];
  readonly #isGemma: boolean;

  constructor(spec: TinyModelSpec, weights: WeightWriter) {
    this.#spec = spec;
    this.#weights = weights;
    this.#isGemma = spec.family === 'gemma';
  }

  build(): DecoderProgram {
    const { hiddenSize, vocabSize, numLayers, numKvHeads, headDim, tied, encoding, softcap } = this.#spec;
    const embedding = this.#weights.matrix('embedding', vocabSize, hiddenSize, encoding);
    let hidden = this.#value('hidden', hiddenSize);
    this.#ops.push({ op: 'embed', weight: embedding, out: hidden, scale: this.#isGemma ? Math.sqrt(hiddenSize) : 1 });
    for (let layer = 0; layer < numLayers; layer++) hidden = this.#layer(hidden, layer);
    const gathered = this.#value('gathered', hiddenSize, 'outputs');
    this.#ops.push({ op: 'gatherOutputs', input: hidden, out: gathered });
    const normed = this.#norm('norm.out', gathered);
    const head = tied ? embedding : this.#weights.matrix('head', vocabSize, hiddenSize, encoding);
    const logits = this.#value('logits', vocabSize, 'outputs');
    this.#ops.push({ op: 'linear', input: normed, weight: head, out: logits });
    if (softcap !== undefined) this.#ops.push({ op: 'softcap', value: logits, cap: softcap });
    return {
      specificationVersion: 1,
      name: `tiny-${this.#spec.family}`,
      kind: 'decoder',
      vocabSize,
      hiddenSize,
      maxPositions: this.#spec.maxPositions,
      files: [this.#weights.close()],
      weights: this.#weights.records,
      values: this.#values,
      ropeTables: [ropeTable(headDim, 10_000), ropeTable(headDim, 100)],
      kvLayers: Array.from({ length: numLayers }, () => ({ numKvHeads, headDim })),
      kvGroups: this.#kvGroups(),
      ops: this.#ops,
      taps: [],
      logits,
    };
  }

  #layer(hidden: ValueId, layer: number): ValueId {
    const attended = this.#attention(this.#norm(`norm.attention.${layer}`, hidden), layer);
    const middle = this.#add(hidden, this.#isGemma ? this.#norm(`norm.after-attention.${layer}`, attended) : attended);
    const fed = this.#feedForward(this.#norm(`norm.feed-forward.${layer}`, middle), layer);
    return this.#add(middle, this.#isGemma ? this.#norm(`norm.after-feed-forward.${layer}`, fed) : fed);
  }

  #attention(input: ValueId, layer: number): ValueId {
    const { numHeads, numKvHeads, headDim, hiddenSize, softcap } = this.#spec;
    const table = this.#windowOf(layer) === undefined ? GLOBAL_ROPE : LOCAL_ROPE;
    const rotated = (name: string, heads: number) => {
      const projected = this.#linear(`${name}.${layer}`, input, heads * headDim, this.#rowOrder(heads));
      const value = this.#isGemma ? this.#norm(`norm.${name}.${layer}`, projected, headDim) : projected;
      this.#ops.push({ op: 'rope', value, table, numHeads: heads, headDim });
      return value;
    };
    const query = rotated('query', numHeads);
    const key = rotated('key', numKvHeads);
    const value = this.#linear(`value.${layer}`, input, numKvHeads * headDim);
    this.#ops.push({ op: 'kvWrite', key, value, layer });
    const out = this.#value(`attention.${layer}`, numHeads * headDim);
    const window = this.#windowOf(layer);
    this.#ops.push({
      op: 'pagedAttention',
      query,
      out,
      layer,
      numHeads,
      scale: 1 / Math.sqrt(headDim),
      ...(window === undefined ? {} : { window }),
      ...(softcap === undefined ? {} : { softcap }),
    });
    return this.#linear(`output.${layer}`, out, hiddenSize);
  }

  #feedForward(input: ValueId, layer: number): ValueId {
    const { intermediateSize, hiddenSize } = this.#spec;
    const gate = this.#linear(`gate.${layer}`, input, intermediateSize);
    const up = this.#linear(`up.${layer}`, input, intermediateSize);
    const out = this.#value(`gated.${layer}`, intermediateSize);
    this.#ops.push({ op: 'gatedActivation', activation: this.#isGemma ? 'gelu-tanh' : 'silu', gate, up, out });
    return this.#linear(`down.${layer}`, out, hiddenSize);
  }

  #linear(name: string, input: ValueId, numOutputs: number, rowOrder?: RowOrder): ValueId {
    const { encoding, bias } = this.#spec;
    const weight = this.#weights.matrix(name, numOutputs, this.#width(input), encoding, rowOrder);
    const added = bias ? { bias: this.#weights.vector(`${name}.bias`, numOutputs, 0, rowOrder) } : {};
    const out = this.#value(name, numOutputs);
    this.#ops.push({ op: 'linear', input, weight, ...added, out });
    return out;
  }

  #norm(name: string, input: ValueId, groupWidth = this.#width(input)): ValueId {
    const weightOffset = this.#isGemma ? 1 : 0;
    const weight: WeightId = this.#weights.vector(name, groupWidth, 1 - weightOffset);
    const out = this.#value(name, this.#width(input), this.#values[input]!.rows);
    this.#ops.push({ op: 'rmsNorm', input, weight, out, eps: EPS, weightOffset, groupWidth });
    return out;
  }

  #add(a: ValueId, b: ValueId): ValueId {
    const out = this.#value('sum', this.#width(a));
    this.#ops.push({ op: 'add', a, b, out });
    return out;
  }

  #value(name: string, width: number, rows: ValueRows = 'tokens'): ValueId {
    return (this.#values.push({ name, rows, width }) - 1) as ValueId;
  }

  #width(value: ValueId): number {
    return this.#values[value]!.width;
  }

  #windowOf(layer: number): number | undefined {
    return layer % 2 === 0 ? this.#spec.window : undefined;
  }

  #rowOrder(numHeads: number): RowOrder | undefined {
    const { interleavedRope, headDim } = this.#spec;
    return interleavedRope ? { kind: 'interleaved-rope', numHeads, headDim } : undefined;
  }

  /** A group a layer kind where that gives equal groups; else one that keeps everything. */
  #kvGroups(): KvGroupSpec[] {
    const { window, numLayers } = this.#spec;
    const layers = Array.from({ length: numLayers }, (_, layer) => layer);
    if (window === undefined || numLayers === 3) return [{ kind: 'full', layers }];
    if (numLayers === 1) return [{ kind: 'window', window, layers }];
    return [
      { kind: 'window', window, layers: [0] },
      { kind: 'full', layers: [1] },
    ];
  }
}

function ropeTable(headDim: number, base: number): RopeTable {
  return {
    inverseFrequencies: Array.from({ length: headDim / 2 }, (_, i) => base ** ((-2 * i) / headDim)),
    attentionFactor: 1,
  };
}
