import { type DecoderProgram, type Op, type Program, UnsupportedError, type WeightRecord } from '@kvasir/interfaces';
import { encodingIndex } from './encoding-index.js';
import type { SessionWriter } from './session-writer.js';

const MAX_WIDTH = 2 ** 24;
const MAX_BYTES = 2 ** 50;
const ACTIVATIONS = ['silu', 'gelu-tanh', 'gelu', 'relu'] as const;
const EMBED_INDICES = ['token', 'position', 'tokenType'] as const;
const POOLINGS = ['mean', 'cls', 'last'] as const;

/** `OpKind` of native/session/program.h, by index. */
const OP_KINDS = [
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
  'layerNorm',
  'activation',
  'bidirectionalAttention',
  'pool',
] as const satisfies readonly Op['op'][];

/**
 * Writes a Program as native/session/read_program.cc reads it.
 * @throws `UnsupportedError` For taps, an op or an encoding that this backend does not build.
 * @throws `KvasirError` `ERR_INVALID_PROGRAM` For a number out of range.
 */
export function writeProgram(out: SessionWriter, program: Program): void {
  if (program.kind === 'decoder') checkTaps(program);
  out.integer('kind', ['decoder', 'encoder'].indexOf(program.kind), 0, 1);
  out.integer('vocabSize', program.vocabSize, 1, MAX_WIDTH);
  out.integer('hiddenSize', program.hiddenSize, 1, MAX_WIDTH);
  out.integer('maxPositions', program.maxPositions, 1, 2 ** 30);
  out.list('files', program.files, (file, i) => {
    out.text(file.path).integer(`files[${i}].sizeBytes`, file.sizeBytes, 1, MAX_BYTES);
  });
  out.list('weights', program.weights, (weight) => {
    writeWeight(out, weight, program.files.length);
  });
  out.list('values', program.values, (value, i) => {
    out.integer(`values[${i}].rows`, value.rows === 'tokens' ? 0 : 1, 0, 1);
    out.integer(`values[${i}].width`, value.width, 1, MAX_WIDTH);
  });
  const cache = program.kind === 'decoder' ? program : NO_CACHE;
  writeCache(out, cache);
  out.list('ops', program.ops, (op, i) => {
    writeOp(out, { ...cache, ...program }, op, `ops[${i}] (${op.op})`);
  });
  const result = program.kind === 'decoder' ? program.logits : program.output;
  out.integer(program.kind === 'decoder' ? 'logits' : 'output', result, 0, program.values.length - 1);
}

/** What only decoders have. */
type Cache = Pick<DecoderProgram, 'ropeTables' | 'kvLayers' | 'kvGroups'>;

const NO_CACHE: Cache = { ropeTables: [], kvLayers: [], kvGroups: [] };

function writeCache(out: SessionWriter, { ropeTables, kvLayers, kvGroups }: Cache): void {
  out.list('ropeTables', ropeTables, (table, i) => {
    out.list(`ropeTables[${i}].inverseFrequencies`, table.inverseFrequencies, (frequency) => {
      out.number(`ropeTables[${i}].inverseFrequencies`, frequency);
    });
    out.number(`ropeTables[${i}].attentionFactor`, table.attentionFactor);
  });
  out.list('kvLayers', kvLayers, (layer, i) => {
    out.integer(`kvLayers[${i}].numKvHeads`, layer.numKvHeads, 1, 2 ** 12);
    out.integer(`kvLayers[${i}].headDim`, layer.headDim, 1, 2 ** 12);
  });
  out.list('kvGroups', kvGroups, (group, i) => {
    const window = group.kind === 'full' ? 0 : (group.window ?? Number.NaN);
    out.integer(`kvGroups[${i}].window`, window, group.kind === 'full' ? 0 : 1, 2 ** 30);
    out.list(`kvGroups[${i}].layers`, group.layers, (layer) => {
      out.integer(`kvGroups[${i}].layers`, layer, 0, kvLayers.length - 1);
    });
  });
}

/** @throws `UnsupportedError` For a program with taps: nothing reads them yet, and what is asked for must not be lost in silence. */
export function checkTaps({ name, taps }: DecoderProgram): void {
  if (taps.length === 0) return;
  const names = taps.map((tap) => tap.name).join(', ');
  throw new UnsupportedError(
    'taps',
    `program '${name}' has the taps ${names}: this backend hands no hidden states out, open the model without taps`,
  );
}

function writeWeight(out: SessionWriter, weight: WeightRecord, numFiles: number): void {
  const at = `weight '${weight.name}'`;
  const part = weight.parts[0];
  if (part === undefined || weight.parts.length > 1) {
    throw new UnsupportedError('weight parts', `${at} has ${weight.parts.length} parts: this backend reads one`);
  }
  out.text(weight.name);
  out.integer(`${at}: rank`, weight.shape.length, 1, 2);
  for (const size of weight.shape) out.integer(`${at}: shape`, size, 1, 2 ** 31);
  out.integer(`${at}: encoding`, encodingIndex(weight.encoding, weight.name), 0, 10);
  out.integer(`${at}: file`, part.file, 0, numFiles - 1);
  out.integer(`${at}: offset`, part.offset, 0, MAX_BYTES);
  out.integer(`${at}: length`, part.length, 1, MAX_BYTES);
  out.integer(`${at}: rope head`, weight.rowOrder?.headDim ?? 0, 0, MAX_WIDTH);
}

function writeOp(out: SessionWriter, program: Pick<Program, 'values' | 'weights'> & Cache, op: Op, at: string): void {
  const kind = (OP_KINDS as readonly string[]).indexOf(op.op);
  if (kind < 0) throw new UnsupportedError(`op ${op.op}`, `${at}: this backend does not build it`);
  out.integer(at, kind, 0, OP_KINDS.length - 1);
  const value = (name: string, id: number) => out.integer(`${at}: ${name}`, id, 0, program.values.length - 1);
  const weight = (name: string, id: number) => out.integer(`${at}: ${name}`, id, 0, program.weights.length - 1);
  const layer = (id: number) => out.integer(`${at}: layer`, id, 0, program.kvLayers.length - 1);
  switch (op.op) {
    case 'embed':
      weight('weight', op.weight);
      value('out', op.out);
      out.number(`${at}: scale`, op.scale);
      out.integer(`${at}: index`, EMBED_INDICES.indexOf(op.index ?? 'token'), 0, EMBED_INDICES.length - 1);
      return;
    case 'rmsNorm':
      value('input', op.input);
      weight('weight', op.weight);
      value('out', op.out);
      out.number(`${at}: eps`, op.eps);
      out.integer(`${at}: weightOffset`, op.weightOffset, 0, 1);
      out.integer(`${at}: groupWidth`, op.groupWidth, 1, MAX_WIDTH);
      return;
    case 'linear':
      value('input', op.input);
      weight('weight', op.weight);
      out.integer(`${at}: bias`, op.bias ?? -1, -1, program.weights.length - 1);
      value('out', op.out);
      return;
    case 'rope':
      value('value', op.value);
      out.integer(`${at}: table`, op.table, 0, program.ropeTables.length - 1);
      out.integer(`${at}: numHeads`, op.numHeads, 1, 2 ** 16);
      out.integer(`${at}: headDim`, op.headDim, 1, 2 ** 16);
      return;
    case 'kvWrite':
      value('key', op.key);
      value('value', op.value);
      layer(op.layer);
      return;
    case 'pagedAttention':
      value('query', op.query);
      value('out', op.out);
      layer(op.layer);
      out.integer(`${at}: numHeads`, op.numHeads, 1, 2 ** 16);
      out.number(`${at}: scale`, op.scale);
      out.number(`${at}: softcap`, op.softcap ?? 0);
      out.integer(`${at}: window`, op.window ?? 0, op.window === undefined ? 0 : 1, 2 ** 30);
      return;
    case 'gatedActivation':
      out.integer(`${at}: activation`, ACTIVATIONS.indexOf(op.activation), 0, ACTIVATIONS.length - 1);
      value('gate', op.gate);
      value('up', op.up);
      value('out', op.out);
      return;
    case 'add':
      value('a', op.a);
      value('b', op.b);
      value('out', op.out);
      return;
    case 'gatherOutputs':
      value('input', op.input);
      value('out', op.out);
      return;
    case 'softcap':
      value('value', op.value);
      out.number(`${at}: cap`, op.cap);
      return;
    case 'layerNorm':
      value('input', op.input);
      weight('weight', op.weight);
      weight('bias', op.bias);
      value('out', op.out);
      out.number(`${at}: eps`, op.eps);
      return;
    case 'activation':
      out.integer(`${at}: activation`, ACTIVATIONS.indexOf(op.activation), 0, ACTIVATIONS.length - 1);
      value('input', op.input);
      value('out', op.out);
      return;
    case 'bidirectionalAttention':
      value('query', op.query);
      value('key', op.key);
      value('value', op.value);
      value('out', op.out);
      out.integer(`${at}: numHeads`, op.numHeads, 1, 2 ** 12);
      out.number(`${at}: scale`, op.scale);
      return;
    case 'pool':
      out.integer(`${at}: kind`, POOLINGS.indexOf(op.kind), 0, POOLINGS.length - 1);
      out.integer(`${at}: normalize`, op.normalize ? 1 : 0, 0, 1);
      value('input', op.input);
      value('out', op.out);
      return;
    default:
      return;
  }
}
