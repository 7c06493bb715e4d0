import {
  type EncodeBatch,
  type EncoderInfo,
  type EncoderOptions,
  type EncoderProgram,
  type EncoderSession,
  KvasirError,
  type Op,
  UnsupportedError,
  type ValueId,
} from '@kvasir/interfaces';
import { checkEncodeBatch } from './check-encode-batch.js';
import type { LoadedWeight } from './load-weights.js';
import { activate, layerNorm, linear, rmsNorm, weightedSum } from './math.js';

const BUILT: ReadonlySet<Op['op']> = new Set([
  'embed',
  'rmsNorm',
  'layerNorm',
  'linear',
  'activation',
  'gatedActivation',
  'add',
  'bidirectionalAttention',
  'pool',
]);

/** @throws `UnsupportedError` For an op that this interpreter does not build in an encoder. */
export function checkEncoderOps({ ops }: EncoderProgram): void {
  const unknown = ops.find(({ op }) => !BUILT.has(op));
  if (unknown === undefined) return;
  throw new UnsupportedError(
    `op ${unknown.op}`,
    `the reference backend does not build ${unknown.op} in an encoder, expected one of ${[...BUILT].join(', ')}`,
  );
}

/** An encoder that computes each sequence by itself, in double precision, in plain loops. */
export class ReferenceEncoder implements EncoderSession {
  readonly info: EncoderInfo;
  readonly width: number;
  readonly #options: EncoderOptions;
  readonly #weights: readonly LoadedWeight[];
  #isClosed = false;

  constructor(info: EncoderInfo, options: EncoderOptions, weights: readonly LoadedWeight[]) {
    this.info = info;
    this.width = options.program.values[options.program.output]!.width;
    this.#options = options;
    this.#weights = weights;
  }

  encode({ tokenIds, lengths }: EncodeBatch): Promise<Float32Array> {
    return new Promise((resolve) => {
      if (this.#isClosed) throw new KvasirError('ERR_SESSION_CLOSED', 'the session is closed: open another');
      checkEncodeBatch({ tokenIds, lengths }, this.#options);
      const vectors = new Float32Array(lengths.length * this.width);
      let start = 0;
      for (const [index, length] of lengths.entries()) {
        const tokens = tokenIds.subarray(start, start + length);
        vectors.set(encodeSequence(this.#options.program, this.#weights, tokens), index * this.width);
        start += length;
      }
      resolve(vectors);
    });
  }

  close(): Promise<void> {
    this.#isClosed = true;
    return Promise.resolve();
  }
}

type Rows = readonly Float64Array[];

function encodeSequence(program: EncoderProgram, weights: readonly LoadedWeight[], tokens: Int32Array): Float64Array {
  const values: Rows[] = program.values.map(({ rows, width }) =>
    Array.from({ length: rows === 'tokens' ? tokens.length : 1 }, () => new Float64Array(width)),
  );
  for (const op of program.ops) runOp(op, weights, tokens, (id) => values[id]!);
  return values[program.output]![0]!;
}

function runOp(op: Op, weights: readonly LoadedWeight[], tokens: Int32Array, rowsOf: (id: ValueId) => Rows): void {
  switch (op.op) {
    case 'embed': {
      const { values, numColumns } = weights[op.weight]!;
      rowsOf(op.out).forEach((out, position) => {
        const index = { token: tokens[position]!, position, tokenType: 0 }[op.index ?? 'token'];
        for (let i = 0; i < numColumns; i++) out[i] = op.scale * values[index * numColumns + i]!;
      });
      break;
    }
    case 'rmsNorm':
      rowsOf(op.input).forEach((input, row) => {
        rmsNorm(input, weights[op.weight]!.values, op.eps, op.weightOffset, rowsOf(op.out)[row]!);
      });
      break;
    case 'layerNorm':
      rowsOf(op.input).forEach((input, row) => {
        layerNorm(input, weights[op.weight]!.values, weights[op.bias]!.values, op.eps, rowsOf(op.out)[row]!);
      });
      break;
    case 'linear':
      rowsOf(op.input).forEach((input, row) => {
        const bias = op.bias === undefined ? undefined : weights[op.bias];
        linear(input, weights[op.weight]!, bias, rowsOf(op.out)[row]!);
      });
      break;
    case 'activation':
      rowsOf(op.out).forEach((out, row) => {
        out.set(rowsOf(op.input)[row]!.map((x) => activate(op.activation, x)));
      });
      break;
    case 'gatedActivation':
      rowsOf(op.out).forEach((out, row) => {
        const up = rowsOf(op.up)[row]!;
        out.set(rowsOf(op.gate)[row]!.map((x, i) => activate(op.activation, x) * up[i]!));
      });
      break;
    case 'add':
      rowsOf(op.out).forEach((out, row) => {
        const b = rowsOf(op.b)[row]!;
        out.set(rowsOf(op.a)[row]!.map((x, i) => x + b[i]!));
      });
      break;
    case 'bidirectionalAttention': {
      const [queries, keys, vectors] = [rowsOf(op.query), rowsOf(op.key), rowsOf(op.value)];
      rowsOf(op.out).forEach((out, row) => {
        const dim = out.length / op.numHeads;
        for (let from = 0; from < out.length; from += dim) {
          const part = (x: Float64Array) => x.subarray(from, from + dim);
          const query = part(queries[row]!);
          const scores = keys.map((key) => op.scale * query.reduce((sum, each, d) => sum + each * part(key)[d]!, 0));
          weightedSum(Float64Array.from(scores), (i) => part(vectors[i]!), part(out));
        }
      });
      break;
    }
    case 'pool': {
      const rows = rowsOf(op.input);
      const pooled = { mean: rows, cls: rows.slice(0, 1), last: rows.slice(-1) }[op.kind];
      const out = rowsOf(op.out)[0]!;
      for (const row of pooled) for (let i = 0; i < out.length; i++) out[i]! += row[i]! / pooled.length;
      const length = op.normalize ? Math.max(Math.hypot(...out), 1e-12) : 1;
      for (let i = 0; i < out.length; i++) out[i]! /= length;
      break;
    }
    default:
      throw new UnsupportedError(`op ${op.op}`, `the reference backend does not build ${op.op} in an encoder`);
  }
}
