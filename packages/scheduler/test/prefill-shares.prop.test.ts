import { fcParameters } from '@kvasir/testing';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type PrefillDemand, shareOfNewcomer, sharePrefill } from '../src/prefill-shares.js';

const demands = fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 8 });
const make = (lengths: readonly number[]): PrefillDemand[] => lengths.map((numLeft) => ({ numLeft, share: -1 }));
const budgets = fc.integer({ min: 1, max: 60 });
const limits = fc.constantFrom(1, 3, 10, 1_000);

it('spends the budget, as far as anyone wants it; half of it in order, the rest on the shortest', () => {
  fc.assert(
    fc.property(demands, budgets, limits, (lengths, budget, max) => {
      const list = make(lengths);
      sharePrefill(list, budget, max);
      const wanted = lengths.map((length) => Math.min(length, max));
      const total = wanted.reduce((sum, want) => sum + want, 0);
      expect(list.reduce((sum, { share }) => sum + share, 0)).toBe(Math.min(total, budget));
      list.forEach(({ share }, i) => {
        expect(share).toBeGreaterThanOrEqual(0);
        expect(share).toBeLessThanOrEqual(wanted[i]!);
      });
      if (list.length === 0) return;
      // Who is first has its half.
      expect(list[0]!.share).toBeGreaterThanOrEqual(Math.min(wanted[0]!, Math.ceil(budget / 2)));
      // Who is shortest of all shares the other half with nobody, but for who is as short.
      const shortest = Math.min(...lengths);
      const asShort = list.filter(({ numLeft }) => numLeft === shortest);
      const given = asShort.reduce((sum, { share }) => sum + share, 0);
      expect(given).toBeGreaterThanOrEqual(Math.min(asShort.length * Math.min(shortest, max), Math.floor(budget / 2)));
    }),
    fcParameters(300),
  );
});

it('promises a newcomer no more than it gets', () => {
  fc.assert(
    fc.property(demands, fc.integer({ min: 1, max: 40 }), budgets, limits, (lengths, length, budget, max) => {
      const promised = shareOfNewcomer(make(lengths), length, budget, max);
      const list = make([...lengths, length]);
      sharePrefill(list, budget, max);
      expect(promised).toBeLessThanOrEqual(list.at(-1)!.share);
      // Nobody is refused who would be the shortest.
      if (budget > 1 && lengths.every((other) => other > length + budget)) expect(promised).toBeGreaterThan(0);
    }),
    fcParameters(300),
  );
});
