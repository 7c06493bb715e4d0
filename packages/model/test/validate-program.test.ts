import { join } from 'node:path';
import {
  type DecoderProgram,
  InvariantError,
  type Op,
  type Program,
  type ValueId,
  type WeightId,
} from '@kvasir/interfaces';
import { beforeAll, describe, expect, it } from 'vitest';
import { decoderProgram, openModel, validateProgram } from '../src/index.js';
import { temporaryFolder } from './support/temporary-folder.js';
import { writeTinyLlama } from './support/tiny-models.js';

const folder = temporaryFolder();

describe('validateProgram', () => {
  let program: DecoderProgram;

  beforeAll(async () => {
    await writeTinyLlama(join(folder, 'tiny.gguf'));
    program = decoderProgram(await openModel(join(folder, 'tiny.gguf')));
  });

  const at = (kind: Op['op']) => program.ops.findIndex(({ op }) => op === kind);
  const replaced = (index: number, change: object): Program => ({
    ...program,
    ops: program.ops.map((op, i) => (i === index ? ({ ...op, ...change } as Op) : op)),
  });

  it('accepts what the architectures build', () => {
    expect(() => validateProgram(program)).not.toThrow();
  });

  it.each<[string, () => Program, string]>([
    ['an op before its input', () => ({ ...program, ops: program.ops.toReversed() }), 'before it is written'],
    ['a value written twice', () => replaced(at('add'), { out: 0 as ValueId }), 'writes value 0 twice'],
    [
      'a weight of another shape',
      () => replaced(at('linear'), { weight: 0 as WeightId }),
      'weight 0 token_embd.weight has shape [24,64], expected [64,64]',
    ],
    ['a weight that does not exist', () => replaced(at('linear'), { weight: 999 as WeightId }), 'weight 999 (none)'],
    ['a norm over uneven groups', () => replaced(at('rmsNorm'), { groupWidth: 7 }), 'expected [7]'],
    ['a missing rope table', () => replaced(at('rope'), { table: 4 }), 'rope table 4 does not fit'],
    ['rope over another width', () => replaced(at('rope'), { numHeads: 3 }), 'reads 64 wide, expected 48'],
    [
      'attention before its layer is written',
      () => ({ ...program, ops: program.ops.filter(({ op }) => op !== 'kvWrite') }),
      'reads layer 0 before it is written',
    ],
    ['a KV layer that does not exist', () => replaced(at('kvWrite'), { layer: 5 }), 'KV layer 5 does not exist'],
    [
      'a layer in no group',
      () => ({ ...program, kvGroups: [{ kind: 'full', layers: [0] }] }),
      'KV groups do not hold every layer exactly once',
    ],
    [
      'a window group without a window',
      () => ({ ...program, kvGroups: [{ kind: 'window', layers: [0, 1] }] }),
      'a window group needs a window',
    ],
    [
      'attention wider than its group keeps',
      () => ({ ...program, kvGroups: [{ kind: 'window', layers: [0, 1], window: 8 }] }),
      'window undefined is wider than what its group keeps',
    ],
    [
      'logits of tokens',
      () => ({ ...program, logits: 0 as ValueId, vocabSize: 64 }),
      'reads one row a tokens, expected outputs',
    ],
    [
      'a weight outside its file',
      () => ({ ...program, files: [{ path: 'x', sizeBytes: 10 }] }),
      'lies outside its file',
    ],
    [
      'a tap of nothing',
      () => ({ ...program, taps: [{ name: 'x', value: 0 as ValueId, afterOp: 10_000 }] }),
      'tap x names nothing',
    ],
  ])('refuses %s', (_, broken, message) => {
    expect(() => validateProgram(broken())).toThrow(InvariantError);
    expect(() => validateProgram(broken())).toThrow(message);
  });
});
