import type { SessionPlan } from '@kvasir/interfaces';
import { describe, expect, it } from 'vitest';
import { maxNumSeqsByCompute, maxNumSeqsByMemory } from '../../src/memory/derive-max-num-seqs.js';
import { type MemoryDemand, planMemory } from '../../src/memory/plan-memory.js';

const MiB = 2 ** 20;
const plan: SessionPlan = {
  weightBytes: 100 * MiB,
  mappedBytes: 60 * MiB,
  scratchBytes: 20 * MiB,
  hostTierBytes: 0,
  kvGroups: [{ kind: 'full', bytesPerBlock: MiB }],
  kvCacheDtype: 'float32',
};

const demand: MemoryDemand = {
  plan,
  blockSize: 16,
  maxModelLen: 1600,
  maxNumSeqs: 4,
  maxNumBatchedTokens: 512,
  kvCacheMemoryBytes: undefined,
  hostKvCacheBytes: 0,
  availableBytes: 2000 * MiB,
};

describe('the memory of a model', () => {
  it('is packed weights, mapped file, buffers and a pool for every sequence, within half of what is left', () => {
    expect(planMemory(demand).numBlocks).toBe(1 + 4 * 100);
    expect(planMemory({ ...demand, availableBytes: 380 * MiB }).numBlocks).toBe(100);
    expect(planMemory({ ...demand, availableBytes: 380 * MiB, hostKvCacheBytes: 50 * MiB }).numBlocks).toBe(75);
    expect(planMemory({ ...demand, kvCacheMemoryBytes: 30 * MiB }).report).toEqual({
      weightBytes: 100 * MiB,
      mappedBytes: 60 * MiB,
      scratchBytes: 20 * MiB,
      kvCacheBytes: 30 * MiB,
      hostKvCacheBytes: 0,
      availableBytes: 2000 * MiB,
    });
  });

  it('is refused with every number when it is more than there is', () => {
    expect(() => planMemory({ ...demand, availableBytes: 150 * MiB, hostKvCacheBytes: 5 * MiB })).toThrow(
      'the model needs 187 MiB (weights 160 MiB: 100 MiB packed and 60 MiB of the file, buffers 20 MiB, host tier 5.0 MiB, KV cache 2.0 MiB), 150 MiB are available',
    );
    expect(() => planMemory({ ...demand, kvCacheMemoryBytes: 5000 * MiB })).toThrow(
      expect.objectContaining({ code: 'ERR_INSUFFICIENT_MEMORY', neededBytes: 5180 * MiB }),
    );
  });
});

describe('the number of sequences that nobody gave', () => {
  it('is 32 a thread within 64 and 256', () => {
    expect([1, 2, 4, 6, 64].map(maxNumSeqsByCompute)).toEqual([64, 64, 128, 192, 256]);
  });

  it('is what the pool holds at 1,024 tokens, or at the longest if that is less, and at least 4', () => {
    const pool = { numBlocks: 641, blockSize: 16, maxModelLen: 4096, maxNumBatchedTokens: 512 };
    expect(maxNumSeqsByMemory(plan, pool)).toBe(10);
    expect(maxNumSeqsByMemory(plan, { ...pool, maxModelLen: 160 })).toBe(64);
    expect(maxNumSeqsByMemory(plan, { ...pool, numBlocks: 100 })).toBe(4);
    const windowed: SessionPlan = {
      ...plan,
      kvGroups: [...plan.kvGroups, { kind: 'window', window: 128, bytesPerBlock: MiB }],
    };
    expect(maxNumSeqsByMemory(windowed, { ...pool, maxNumBatchedTokens: 128 })).toBe(8);
  });
});
