import type { SequenceId, SequenceSpec } from '@kvasir/interfaces';
import { ScheduledSequence } from '../../src/scheduled-sequence.js';
import { Tenant } from '../../src/tenants.js';

/** A waiting sequence with the id `arrival + 1`. */
export function makeSequence(
  arrival: number,
  more: Partial<SequenceSpec> = {},
  tenant = new Tenant('', 1, 0),
): ScheduledSequence {
  const spec: SequenceSpec = {
    id: (arrival + 1) as SequenceId,
    promptTokenIds: Int32Array.of(1, 2),
    maxLength: 9,
    promptLogprobs: false,
    needsSync: false,
    ...more,
  };
  const prepared = { numTokens: spec.promptTokenIds.length, numHashedBlocks: 0 };
  return new ScheduledSequence(spec, { arrival, tenant, prepared });
}
