import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Activation, EncoderProgram, Op, PoolOp, ValueId, ValueSpec } from '@kvasir/interfaces';
import fc from 'fast-check';
import { seededRandom } from './random.js';
import type { EncodingName } from './tiny-model-spec.js';
import { WeightWriter } from './weight-writer.js';

/** A small BERT with random weights. */
export interface TinyEncoderSpec {
  readonly numLayers: number;
  readonly numHeads: number;
  readonly headDim: number;
  readonly intermediateSize: number;
  readonly vocabSize: number;
  readonly maxPositions: number;
  readonly activation: Activation;
  readonly pooling: PoolOp['kind'];
  readonly normalize: boolean;
  /** Encoding of matrices whose rows are whole blocks of it; the others, and vectors, are f32. */
  readonly encoding: EncodingName;
  readonly seed: number;
}

/** Any {@link TinyEncoderSpec}; fields of `fixed` are taken as they are. */
export function tinyEncoderSpec(fixed: Partial<TinyEncoderSpec> = {}): fc.Arbitrary<TinyEncoderSpec> {
  return fc
    .record({
      numLayers: fc.integer({ min: 1, max: 3 }),
      numHeads: fc.integer({ min: 1, max: 4 }),
      headDim: fc.constantFrom(5, 8, 16, 32),
      intermediateSize: fc.constantFrom(32, 64, 80),
      vocabSize: fc.integer({ min: 17, max: 70 }),
      activation: fc.constantFrom<Activation>('gelu', 'gelu-tanh', 'relu', 'silu'),
      pooling: fc.constantFrom<PoolOp['kind']>('mean', 'cls', 'last'),
      normalize: fc.boolean(),
      encoding: fc.constantFrom<EncodingName>('f32', 'f16', 'bf16', 'q8_0', 'q4_0', 'q4_1', 'q5_0', 'q5_1'),
      seed: fc.nat(),
    })
    .map((spec) => ({ maxPositions: 300, ...spec, ...fixed }));
}

/** A Program whose weights lie in a temporary folder until it is disposed of. */
export interface TinyEncoder extends Disposable {
  readonly program: EncoderProgram;
}

/** Writes random weights and the Program that reads them. The same spec gives the same bytes. */
export function createTinyEncoder(spec: TinyEncoderSpec): TinyEncoder {
  const folder = mkdtempSync(join(tmpdir(), 'kvasir-tiny-'));
  const program = build(spec, new WeightWriter(join(folder, 'weights.bin'), seededRandom(spec.seed)));
  return { program, [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }) };
}

function build(spec: TinyEncoderSpec, weights: WeightWriter): EncoderProgram {
  const { numHeads, headDim, vocabSize, maxPositions, encoding, activation } = spec;
  const hiddenSize = numHeads * headDim;
  const values: ValueSpec[] = [];
  const ops: Op[] = [];
  const value = (name: string, width: number, rows: ValueSpec['rows'] = 'tokens') =>
    (values.push({ name, rows, width }) - 1) as ValueId;
  const embed = (name: string, numRows: number, index: 'token' | 'position' | 'tokenType') => {
    const out = value(name, hiddenSize);
    ops.push({ op: 'embed', weight: weights.matrix(name, numRows, hiddenSize, encoding), out, scale: 1, index });
    return out;
  };
  const add = (a: ValueId, b: ValueId) => {
    const out = value('sum', hiddenSize);
    ops.push({ op: 'add', a, b, out });
    return out;
  };
  const norm = (name: string, input: ValueId) => {
    const [weight, bias] = [weights.vector(name, hiddenSize, 1), weights.vector(`${name}.bias`, hiddenSize, 0)];
    const out = value(name, hiddenSize);
    ops.push({ op: 'layerNorm', input, weight, bias, out, eps: 1e-12 });
    return out;
  };
  const linear = (name: string, input: ValueId, numInputs: number, numOutputs: number) => {
    const weight = weights.matrix(name, numOutputs, numInputs, encoding);
    const bias = weights.vector(`${name}.bias`, numOutputs, 0);
    const out = value(name, numOutputs);
    ops.push({ op: 'linear', input, weight, bias, out });
    return out;
  };

  const tokens = add(embed('tokens', vocabSize, 'token'), embed('types', 2, 'tokenType'));
  let hidden = norm('norm', add(tokens, embed('positions', maxPositions, 'position')));
  for (let layer = 0; layer < spec.numLayers; layer++) {
    const part = (name: string) => linear(`${name}.${layer}`, hidden, hiddenSize, hiddenSize);
    const [query, key, keyed] = [part('query'), part('key'), part('value')] as const;
    const mixed = value(`attention.${layer}`, hiddenSize);
    const scale = 1 / Math.sqrt(headDim);
    ops.push({ op: 'bidirectionalAttention', query, key, value: keyed, out: mixed, numHeads, scale });
    const middle = norm(`norm.${layer}`, add(linear(`output.${layer}`, mixed, hiddenSize, hiddenSize), hidden));
    const up = linear(`up.${layer}`, middle, hiddenSize, spec.intermediateSize);
    const active = value(`activation.${layer}`, spec.intermediateSize);
    ops.push({ op: 'activation', activation, input: up, out: active });
    hidden = norm(`out.${layer}`, add(linear(`down.${layer}`, active, spec.intermediateSize, hiddenSize), middle));
  }
  const output = value('pooled', hiddenSize, 'outputs');
  ops.push({ op: 'pool', input: hidden, out: output, kind: spec.pooling, normalize: spec.normalize });
  return {
    specificationVersion: 1,
    name: 'tiny-encoder',
    kind: 'encoder',
    vocabSize,
    hiddenSize,
    maxPositions,
    files: [weights.close()],
    weights: weights.records,
    values,
    ops,
    output,
  };
}
