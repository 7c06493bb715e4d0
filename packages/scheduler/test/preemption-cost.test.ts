import { fcParameters } from '@kvasir/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { costToBringBack } from '../src/preemption-cost.js';

const pool = { blockSize: 4, numGroups: 1, numWanted: 0, numTierBlocks: 0 };
/** 22 tokens: 5 full blocks, of which others hold `numShared`, and one that is not full. */
const view = (numShared: number, readsCache = true) => ({
  closing: { numFreedBlocks: 6 - numShared, numSharedTokens: 4 * numShared, numPublishedTokens: 20 },
  numComputed: 22,
  readsCache,
});

describe('what it costs to bring a sequence back', () => {
  it.each([
    ['the unpublished end, where nobody wants a block', view(0), {}, 2],
    ['no more, where the unpublished block is all that is wanted', view(0), { numWanted: 1 }, 2],
    ['as many blocks more as are evicted, the last ones first', view(0), { numWanted: 3 }, 2 + 8],
    ['everything, where everything is evicted', view(0), { numWanted: 100 }, 22],
    ['nothing of what others hold', view(3), { numWanted: 100 }, 22 - 12],
    ['everything, where the cache is not read', view(3, false), {}, 22],
    ['an eighth of what a host tier keeps', view(0), { numWanted: 100, numTierBlocks: 5 }, 2 + 20 / 8],
    ['everything, where the host tier is too small', view(0), { numWanted: 100, numTierBlocks: 4 }, 22],
  ])('%s', (_, preempted, more, expected) => {
    expect(costToBringBack(preempted, { ...pool, ...more })).toBe(expected);
  });

  it('is between the unpublished end and all, and grows with what others want', () => {
    const shape = fc.record({
      blockSize: fc.integer({ min: 1, max: 8 }),
      numPublished: fc.nat({ max: 20 }),
      shared: fc.nat({ max: 20 }),
      rest: fc.nat({ max: 7 }),
      numGroups: fc.integer({ min: 1, max: 3 }),
      numWanted: fc.nat({ max: 80 }),
    });
    fc.assert(
      fc.property(shape, ({ blockSize, numPublished, shared, rest, numGroups, numWanted }) => {
        const numShared = Math.min(shared, numPublished);
        const numPublishedTokens = numPublished * blockSize;
        const closing = {
          numFreedBlocks: (numPublished - numShared + 1) * numGroups,
          numSharedTokens: numShared * blockSize,
          numPublishedTokens,
        };
        const computed = { closing, numComputed: numPublishedTokens + rest, readsCache: true };
        const cost = (wanted: number) =>
          costToBringBack(computed, { blockSize, numGroups, numWanted: wanted, numTierBlocks: 0 });
        expect(cost(numWanted)).toBeGreaterThanOrEqual(rest);
        expect(cost(numWanted)).toBeLessThanOrEqual(computed.numComputed - closing.numSharedTokens);
        expect(cost(numWanted + 1)).toBeGreaterThanOrEqual(cost(numWanted));
      }),
      fcParameters(200),
    );
  });
});
