import {
  type DecoderProgram,
  type Op,
  type PagedAttentionOp,
  UnsupportedError,
  type ValueId,
} from '@kvasir/interfaces';
import type { LoadedWeight } from './load-weights.js';
import { activate, linear, rmsNorm, rope, softcap, weightedSum } from './math.js';
import { type PagedKv, placeLayers } from './paged-kv.js';

/** A token of a step. */
export interface TokenInput {
  readonly tokenId: number;
  readonly position: number;
  /** Block tables of its slot, one a KV group. */
  readonly tables: readonly (readonly number[])[];
}

/** What {@link runProgram} works on. */
export interface ProgramRun {
  readonly program: DecoderProgram;
  readonly weights: readonly LoadedWeight[];
  readonly kv: PagedKv;
  readonly tokens: readonly TokenInput[];
  /** Index into `tokens` of each output. */
  readonly outputs: readonly number[];
}

const BUILT: ReadonlySet<Op['op']> = new Set([
  'embed',
  'rmsNorm',
  'linear',
  'rope',
  'kvWrite',
  'pagedAttention',
  'gatedActivation',
  'add',
  'gatherOutputs',
  'softcap',
]);

/** @throws `UnsupportedError` For an op that this interpreter does not build. */
export function checkOps({ ops }: DecoderProgram): void {
  for (const { op } of ops) {
    if (!BUILT.has(op)) {
      throw new UnsupportedError(`op ${op}`, `the reference backend does not build ${op} in a decoder`);
    }
  }
}

/** Runs a program op by op, row by row, in double precision. Returns the logits of each output. */
export function runProgram(run: ProgramRun): readonly Float64Array[] {
  const values = run.program.values.map(({ rows, width }) =>
    Array.from({ length: rows === 'tokens' ? run.tokens.length : run.outputs.length }, () => new Float64Array(width)),
  );
  for (const op of run.program.ops) runOp(op, run, (id) => values[id]!);
  return values[run.program.logits]!;
}

type RowsOf = (value: ValueId) => readonly Float64Array[];

function runOp(op: Op, run: ProgramRun, rowsOf: RowsOf): void {
  const { program, weights, tokens } = run;
  switch (op.op) {
    case 'embed': {
      const { values, numColumns } = weights[op.weight]!;
      rowsOf(op.out).forEach((out, row) => {
        const start = tokens[row]!.tokenId * numColumns;
        for (let i = 0; i < numColumns; i++) out[i] = op.scale * values[start + i]!;
      });
      break;
    }
    case 'rmsNorm':
      rowsOf(op.input).forEach((input, row) => {
        rmsNorm(input, weights[op.weight]!.values, op.eps, op.weightOffset, rowsOf(op.out)[row]!);
      });
      break;
    case 'linear': {
      const bias = op.bias === undefined ? undefined : weights[op.bias];
      rowsOf(op.input).forEach((input, row) => {
        linear(input, weights[op.weight]!, bias, rowsOf(op.out)[row]!);
      });
      break;
    }
    case 'rope': {
      const table = program.ropeTables[op.table]!;
      rowsOf(op.value).forEach((value, row) => {
        rope(value, table, op.headDim, tokens[row]!.position);
      });
      break;
    }
    case 'kvWrite': {
      const { group, offset, width } = placeLayers(program)[op.layer]!;
      const { headDim } = program.kvLayers[op.layer]!;
      tokens.forEach(({ tables, position }, row) => {
        run.kv.write(tables[group]!, position, offset, rowsOf(op.key)[row]!, headDim);
        run.kv.write(tables[group]!, position, offset + width, rowsOf(op.value)[row]!, headDim);
      });
      break;
    }
    case 'pagedAttention':
      tokens.forEach((token, row) => {
        attend(op, run, token, rowsOf(op.query)[row]!, rowsOf(op.out)[row]!);
      });
      break;
    case 'gatedActivation':
      rowsOf(op.out).forEach((out, row) => {
        const gate = rowsOf(op.gate)[row]!;
        const up = rowsOf(op.up)[row]!;
        for (let i = 0; i < out.length; i++) out[i] = activate(op.activation, gate[i]!) * up[i]!;
      });
      break;
    case 'add':
      rowsOf(op.out).forEach((out, row) => {
        for (let i = 0; i < out.length; i++) out[i] = rowsOf(op.a)[row]![i]! + rowsOf(op.b)[row]![i]!;
      });
      break;
    case 'gatherOutputs':
      rowsOf(op.out).forEach((out, row) => {
        out.set(rowsOf(op.input)[run.outputs[row]!]!);
      });
      break;
    case 'softcap':
      rowsOf(op.value).forEach((value) => {
        for (let i = 0; i < value.length; i++) value[i] = softcap(value[i]!, op.cap);
      });
      break;
    default:
      checkOps(program);
  }
}

/** Attention of one token: each head over every cached token that it may see, its own included. */
function attend(
  op: PagedAttentionOp,
  run: ProgramRun,
  token: TokenInput,
  query: Float64Array,
  out: Float64Array,
): void {
  const { numKvHeads, headDim } = run.program.kvLayers[op.layer]!;
  const { group, offset, width } = placeLayers(run.program)[op.layer]!;
  const table = token.tables[group]!;
  const first = op.window === undefined ? 0 : Math.max(0, token.position + 1 - op.window);
  const numSeen = token.position + 1 - first;
  for (let head = 0; head < op.numHeads; head++) {
    const kvHead = Math.floor(head / (op.numHeads / numKvHeads));
    const from = offset + kvHead * headDim;
    const q = query.subarray(head * headDim, (head + 1) * headDim);
    const scores = new Float64Array(numSeen);
    for (let i = 0; i < numSeen; i++) {
      const key = run.kv.token(table, first + i, from, headDim);
      const score = op.scale * q.reduce((sum, each, d) => sum + each * key[d]!, 0);
      scores[i] = op.softcap === undefined ? score : softcap(score, op.softcap);
    }
    const valueAt = (i: number) => run.kv.token(table, first + i, from + width, headDim);
    weightedSum(scores, valueAt, out.subarray(head * headDim, (head + 1) * headDim));
  }
}
