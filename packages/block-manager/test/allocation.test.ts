import type { SequenceId } from '@kvasir/interfaces';
import { countAllocations } from '@kvasir/testing';
import { describe, expect, it } from 'vitest';
import { createKvCacheManager } from '../src/index.js';
import { FULL } from './support/sequences.js';

const NUM_SEQUENCES = 16;
const NUM_WARM = 2_000;
const NUM_STEPS = 10_000;
const NUM_TOKENS = NUM_SEQUENCES * NUM_STEPS;
const LENGTH = NUM_WARM + NUM_STEPS;

function sum(sizes: ReadonlyMap<string, number>): number {
  return [...sizes.values()].reduce((total, size) => total + size, 0);
}

/** Bytes a token that 10,000 decode steps of `NUM_SEQUENCES` sequences allocate, with what a packer asks for in each step. */
function bytesPerToken(blockSize: number, enablePrefixCaching: boolean): number {
  const numBlocks = 1 + NUM_SEQUENCES * Math.ceil(LENGTH / blockSize);
  const window = { ...FULL, kind: 'window', window: 512 } as const;
  const kv = createKvCacheManager({ numBlocks: 2 * numBlocks, blockSize, groups: [FULL, window], enablePrefixCaching });
  const tokens = Array.from({ length: NUM_SEQUENCES }, (_, at) =>
    Int32Array.from({ length: LENGTH }, (_, i) => (i * 7 + at) % 1000),
  );
  for (let at = 0; at < NUM_SEQUENCES; at++) kv.open((at + 1) as SequenceId, tokens[at]!.subarray(0, 1));
  let checksum = 0;
  const run = (from: number, to: number) => {
    for (let length = from; length < to; length++) {
      for (let at = 0; at < NUM_SEQUENCES; at++) {
        const id = (at + 1) as SequenceId;
        if (!kv.reserve(id, length + 1)) throw new Error('no room');
        checksum += kv.table(id, 0).dirtyFrom + kv.table(id, 1).length;
        kv.markSent(id);
        kv.commit(id, tokens[at]!, length + 1);
      }
      checksum += kv.takeTransfers().length;
    }
  };
  run(0, NUM_WARM);
  const sizes = countAllocations(() => run(NUM_WARM, LENGTH));
  expect(checksum).toBeGreaterThan(0);
  return sum(sizes) / NUM_TOKENS;
}

describe('10,000 steps', () => {
  it('are measured by something that sees garbage', () => {
    const sizes = countAllocations(() => {
      let last: object = {};
      for (let i = 0; i < NUM_TOKENS; i++) last = { i, last: i > 0 ? null : last };
    });
    // An object of two fields and a header takes 16 bytes or more.
    expect(sum(sizes) / NUM_TOKENS).toBeGreaterThan(8);
  });

  it('allocate nothing a token where no block fills up', () => {
    expect(bytesPerToken(16_384, true)).toBeLessThan(1);
  });

  it('allocate nothing a block without prefix caching', () => {
    expect(bytesPerToken(16, false)).toBeLessThan(1);
  });

  it('allocate a digest for each block that is hashed, and nothing a token', () => {
    expect(16 * bytesPerToken(16, true)).toBeLessThan(256);
  });
});
