import type { KvCacheManager, KvGroup, SequenceId } from '@kvasir/interfaces';
import { NULL_BLOCK } from '@kvasir/interfaces';
import { expect } from 'vitest';
import { Device } from './device.js';

/** One live sequence as anyone would describe it. */
export interface ModelSequence {
  readonly id: SequenceId;
  readonly salt: string;
  /** Known tokens; `[0, computed)` are committed, `[computed, written)` written by steps in flight. */
  tokens: number[];
  computed: number;
  written: number;
}

/** The obvious model: token lists, and a device that remembers what was written where. */
export interface Model {
  readonly groups: readonly KvGroup[];
  readonly blockSize: number;
  readonly isCaching: boolean;
  readonly sequences: ModelSequence[];
  readonly device: Device;
  nextId: number;
}

/** How often the interesting things happened, over all runs. */
export const reached = {
  opened: 0,
  hits: 0,
  written: 0,
  committed: 0,
  forked: 0,
  copied: 0,
  truncated: 0,
  refused: 0,
  evicted: 0,
  behindWindow: 0,
  misused: 0,
};

export function createModel(groups: readonly KvGroup[], blockSize: number, isCaching: boolean): Model {
  return { groups, blockSize, isCaching, sequences: [], device: new Device(blockSize), nextId: 1 };
}

/** What a cell must hold: everything that its keys and values depend on. */
export function contentAt(sequence: ModelSequence, group: number, position: number): string {
  return `${sequence.salt}|${group}|${sequence.tokens.slice(0, position + 1).join('')}`;
}

export function firstVisiblePosition(group: KvGroup, computed: number): number {
  return group.kind === 'full' ? 0 : Math.max(0, computed - group.window! + 1);
}

/** All that must hold between two commands. */
export function assertInvariants(model: Model, real: KvCacheManager): void {
  real.checkIntegrity();
  const held = new Set<number>();
  for (const sequence of model.sequences) {
    model.groups.forEach((group, index) => {
      const table = real.table(sequence.id, index);
      const own = Array.from(table.ids.subarray(0, table.length)).filter((block) => block !== NULL_BLOCK);
      expect(new Set(own).size).toBe(own.length);
      expect(table.length).toBeGreaterThanOrEqual(Math.ceil(sequence.written / model.blockSize));
      for (const block of own) {
        expect(block).toBeGreaterThan(0);
        expect(block).toBeLessThanOrEqual(real.numBlocks);
        held.add(block);
      }
      const first = firstVisiblePosition(group, sequence.computed);
      if (own.length < table.length) reached.behindWindow++;
      for (let position = first; position < sequence.written; position++) {
        expect(model.device.read(table, position)).toBe(contentAt(sequence, index, position));
      }
    });
  }
  expect(real.numFreeBlocks).toBe(real.numBlocks - held.size);
}
