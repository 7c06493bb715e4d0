import type { DecoderProgram, EncoderProgram, KvGroupSpec, ValueId } from '@kvasir/interfaces';

/** What {@link createFakeProgram} may be told. */
export interface FakeProgramOptions {
  readonly name?: string;
  /** Default 16. */
  readonly vocabSize?: number;
  /** Default 4096. */
  readonly maxPositions?: number;
  /** Windows of further KV groups beside the full one. Default none. */
  readonly windows?: readonly number[];
}

/** A DecoderProgram without ops, for the fake backend: a vocabulary and KV groups of one layer each. */
export function createFakeProgram(options: FakeProgramOptions = {}): DecoderProgram {
  const windows = options.windows ?? [];
  const kvGroups: KvGroupSpec[] = [
    { layers: [0], kind: 'full' },
    ...windows.map((window, index) => ({ layers: [index + 1], kind: 'window' as const, window })),
  ];
  return {
    specificationVersion: 1,
    name: options.name ?? 'fake',
    kind: 'decoder',
    vocabSize: options.vocabSize ?? 16,
    hiddenSize: 1,
    maxPositions: options.maxPositions ?? 4096,
    files: [],
    weights: [],
    values: [],
    ropeTables: [],
    kvLayers: kvGroups.map(() => ({ numKvHeads: 1, headDim: 2 })),
    kvGroups,
    ops: [],
    taps: [],
    logits: 0 as ValueId,
  };
}

/** What {@link createFakeEncoderProgram} may be told. */
export interface FakeEncoderProgramOptions {
  readonly name?: string;
  /** Default 16. */
  readonly vocabSize?: number;
  /** Numbers a vector. Default 8. */
  readonly width?: number;
  /** Default 512. */
  readonly maxPositions?: number;
  /** Whether vectors have length 1. Default true. */
  readonly normalize?: boolean;
}

/** An encoder Program of one `pool` op, for the fake backend: a vocabulary and a width. */
export function createFakeEncoderProgram(options: FakeEncoderProgramOptions = {}): EncoderProgram {
  const { name = 'fake-encoder', vocabSize = 16, width = 8, maxPositions = 512, normalize = true } = options;
  const [input, out] = [0 as ValueId, 1 as ValueId];
  return {
    specificationVersion: 1,
    name,
    kind: 'encoder',
    vocabSize,
    hiddenSize: width,
    maxPositions,
    files: [],
    weights: [],
    values: [
      { name: 'hidden', rows: 'tokens', width },
      { name: 'pooled', rows: 'outputs', width },
    ],
    ops: [{ op: 'pool', input, out, kind: 'mean', normalize }],
    output: out,
  };
}
