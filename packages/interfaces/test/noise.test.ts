import { choiceSeed, noiseUniform, philox4x32, tokenGumbel, tokenNoiseBits } from '@kvasir/interfaces';
import { describe, expect, it } from 'vitest';

describe('philox4x32', () => {
  // Known-answer tests of the authors' Random123 library, 10 rounds.
  it.each<[Parameters<typeof philox4x32>, number[]]>([
    [
      [
        [0, 0, 0, 0],
        [0, 0],
      ],
      [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8],
    ],
    [
      [
        [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
        [0xffffffff, 0xffffffff],
      ],
      [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
    ],
    [
      [
        [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
        [0xa4093822, 0x299f31d0],
      ],
      [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
    ],
  ])('gives the published words', ([counter, key], words) => {
    expect(philox4x32(counter, key)).toEqual(words);
  });
});

describe('noise of a token', () => {
  it('is the word of its counter, and depends on seed, position and token', () => {
    const seed = (0x299f31d0n << 32n) | 0xa4093822n;
    expect(tokenNoiseBits(seed, 7, 6)).toBe(philox4x32([1, 7, 0, 0], [0xa4093822, 0x299f31d0])[2]);
    const all = [
      tokenNoiseBits(1n, 2, 3),
      tokenNoiseBits(2n, 2, 3),
      tokenNoiseBits(1n, 3, 3),
      tokenNoiseBits(1n, 2, 4),
    ];
    expect(new Set(all).size).toBe(4);
  });

  it('is uniform strictly inside (0, 1), so that its Gumbel value is finite', () => {
    expect(noiseUniform(0)).toBe(0.5 / 2 ** 24);
    expect(noiseUniform(0xffffffff)).toBe(1 - 0.5 / 2 ** 24);
    const values = Array.from({ length: 4000 }, (_, token) => tokenGumbel(9n, 5, token));
    const mean = values.reduce((a, b) => a + b, 0) / values.length;
    // Euler's constant within four standard errors: pi / sqrt(6) / sqrt(4000) = 0.02.
    expect(Math.abs(mean - 0.5772)).toBeLessThan(0.081);
  });

  it('samples the distribution that the logits say', () => {
    const probabilities = [0.5, 0.25, 0.125, 0.125];
    const counts = [0, 0, 0, 0];
    const numDraws = 8000;
    for (let position = 0; position < numDraws; position++) {
      const scores = probabilities.map((p, token) => Math.log(p) + tokenGumbel(77n, position, token));
      counts[scores.indexOf(Math.max(...scores))]!++;
    }
    const chiSquare = counts.reduce((sum, count, i) => {
      const expected = numDraws * probabilities[i]!;
      return sum + (count - expected) ** 2 / expected;
    }, 0);
    // 99.9th percentile with 3 degrees of freedom; the draws are fixed, so this either holds or does not.
    expect(chiSquare).toBeLessThan(16.27);
  });
});

describe('choiceSeed', () => {
  it('is the seed itself for choice 0, and of its own for the others', () => {
    expect(choiceSeed(12345n, 0)).toBe(12345n);
    const seeds = Array.from({ length: 100 }, (_, choice) => choiceSeed(12345n, choice));
    expect(new Set(seeds).size).toBe(100);
    expect(seeds.every((seed) => seed >= 0n && seed < 1n << 64n)).toBe(true);
  });
});
