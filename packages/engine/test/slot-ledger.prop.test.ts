import { fcParameters } from '@kvasir/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SlotLedger } from '../src/slot-ledger.js';

describe('SlotLedger', () => {
  it('knows the slots of a session in which some steps fail, one or two in flight', () => {
    const step = fc.record({
      ops: fc.array(fc.record({ slot: fc.nat({ max: 3 }), inUse: fc.boolean() }), { maxLength: 4 }),
      succeeds: fc.boolean(),
      overlaps: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
        const ledger = new SlotLedger(4);
        const truth = [false, false, false, false];
        const outstanding: { readonly stepId: number; readonly step: (typeof steps)[number] }[] = [];
        const settle = () => {
          const { stepId, step: settled } = outstanding.shift()!;
          if (!settled.succeeds) return ledger.drop(stepId);
          for (const { slot, inUse } of settled.ops) truth[slot] = inUse;
          return ledger.confirm(stepId);
        };
        for (const [index, each] of steps.entries()) {
          ledger.begin(index + 1);
          for (const { slot, inUse } of each.ops) ledger.note(slot, inUse);
          outstanding.push({ stepId: index + 1, step: each });
          while (outstanding.length > (each.overlaps ? 1 : 0)) settle();
        }
        while (outstanding.length > 0) settle();
        expect(truth.map((_, slot) => ledger.isInUse(slot))).toEqual(truth);
      }),
      fcParameters(300),
    );
  });
});
