import type { KvGroupSpec, Program, ValueId } from '@kvasir/interfaces';

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

/** A Program without ops, for the fake backend: a vocabulary and KV groups of one layer each. */
export function createFakeProgram(options: FakeProgramOptions = {}): Program {
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
