import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ValueId, WeightId } from '@kvasir/interfaces';
import type { TinyModel } from '@kvasir/testing';

/**
 * A model without layers, whose logits are known without computing: after token `t` they are `logits[t]`, whatever came before.
 * The embedding is the unit matrix and the head is the table itself, so that float32 keeps every number as it stands.
 * @param logits - `[vocabSize][vocabSize]`, each a float32.
 */
export function createTableModel(logits: readonly (readonly number[])[], maxPositions: number): TinyModel {
  const size = logits.length;
  const unit = logits.map((_, row) => logits.map((_, column) => (row === column ? 1 : 0)));
  const head = logits.map((_, row) => logits.map((after) => after[row]!));
  const folder = mkdtempSync(join(tmpdir(), 'kvasir-table-'));
  const path = join(folder, 'weights.bin');
  const floats = Float32Array.from([unit, head].flat(2));
  writeFileSync(path, new Uint8Array(floats.buffer));
  const length = floats.byteLength / 2;
  const weights = ['embedding', 'head'].map((name, index) => ({
    name,
    shape: [size, size],
    encoding: { kind: 'dense', dtype: 'f32' } as const,
    parts: [{ file: 0, offset: index * length, length }],
    shard: 'replicated' as const,
  }));
  const [hidden, gathered, scores] = [0, 1, 2] as [ValueId, ValueId, ValueId];
  return {
    program: {
      specificationVersion: 1,
      name: 'table',
      kind: 'decoder',
      vocabSize: size,
      hiddenSize: size,
      maxPositions,
      files: [{ path, sizeBytes: floats.byteLength }],
      weights,
      values: [
        { name: 'hidden', rows: 'tokens', width: size },
        { name: 'gathered', rows: 'outputs', width: size },
        { name: 'logits', rows: 'outputs', width: size },
      ],
      ropeTables: [],
      kvLayers: [],
      kvGroups: [],
      ops: [
        { op: 'embed', weight: 0 as WeightId, out: hidden, scale: 1 },
        { op: 'gatherOutputs', input: hidden, out: gathered },
        { op: 'linear', input: gathered, weight: 1 as WeightId, out: scores },
      ],
      taps: [],
      logits: scores,
    },
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}
