import type { KvCacheManager, KvGroup, OpenOptions, SequenceId } from '@kvasir/interfaces';
import { expect } from 'vitest';

export const FULL: KvGroup = { kind: 'full', bytesPerBlock: 1024 };
export const WINDOW_4: KvGroup = { kind: 'window', window: 4, bytesPerBlock: 1024 };
export const [A, B, C] = [1, 2, 3] as [SequenceId, SequenceId, SequenceId];

export const ids = (...tokens: number[]) => Int32Array.from(tokens);

/** The blocks of a sequence, 0 where there is none. */
export function blocks(kv: KvCacheManager, sequence: SequenceId, group = 0): number[] {
  const table = kv.table(sequence, group);
  return Array.from(table.ids.subarray(0, table.length));
}

/** Opens and computes all of `tokens`. Returns what was cached. */
export function run(kv: KvCacheManager, sequence: SequenceId, tokens: Int32Array, options: OpenOptions = {}): number {
  const cached = kv.open(sequence, tokens, options);
  expect(kv.reserve(sequence, tokens.length)).toBe(true);
  kv.commit(sequence, tokens, tokens.length);
  return cached;
}

/** Runs `tokens` from open to close. */
export function visit(kv: KvCacheManager, sequence: SequenceId, tokens: Int32Array, options: OpenOptions = {}): number {
  const cached = run(kv, sequence, tokens, options);
  kv.close(sequence);
  return cached;
}
