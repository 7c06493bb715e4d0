import type { BlockId } from '@kvasir/interfaces';
import { fcParameters } from '@kvasir/testing';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { FreeList } from '../src/free-list.js';

const operation = fc.record({
  kind: fc.constantFrom('popHead', 'remove', 'pushHead', 'pushTail'),
  pick: fc.nat({ max: 20 }),
});

it('is an array from which one can take the middle', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 6 }), fc.array(operation, { maxLength: 40 }), (size, operations) => {
      const real = new FreeList(size);
      const model = Array.from({ length: size }, (_, i) => (i + 1) as BlockId);
      const outside: BlockId[] = [];
      for (const { kind, pick } of operations) {
        if (kind === 'popHead') {
          const block = model.shift();
          expect(real.popHead()).toBe(block ?? 0);
          if (block !== undefined) outside.push(block);
        } else if (kind === 'remove' && model.length > 0) {
          const [block] = model.splice(pick % model.length, 1);
          real.remove(block!);
          outside.push(block!);
        } else if (kind !== 'remove' && outside.length > 0) {
          const [block] = outside.splice(pick % outside.length, 1);
          if (kind === 'pushHead') model.unshift(block!);
          else model.push(block!);
          real[kind](block!);
        }
        real.checkIntegrity();
        expect([...real]).toEqual(model);
        expect(real.length).toBe(model.length);
        for (const block of outside) expect(real.has(block)).toBe(false);
      }
    }),
    fcParameters(200),
  );
});
