import { NO_SAMPLING_EXTRAS, samplingExtras } from '@kvasir/testing';
import fc from 'fast-check';
import type { PlannedSequence } from './driver.js';

/** Any sequence over a vocabulary; `maxLength` bounds prompt and output together. */
export function plannedSequence(vocabSize: number, maxLength: number): fc.Arbitrary<PlannedSequence> {
  const sequence = fc.record({
    prompt: fc.array(fc.nat({ max: vocabSize - 1 }), { minLength: 1, maxLength: maxLength - 12 }),
    numTokens: fc.integer({ min: 1, max: 10 }),
    temperature: fc.constantFrom(0, 0.7, 1.5),
    topK: fc.constantFrom(0, 0, 3),
    topP: fc.constantFrom(1, 1, 0.8),
    seed: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
    arrival: fc.nat({ max: 4 }),
    chunk: fc.integer({ min: 1, max: maxLength }),
    drafts: fc.constant([]),
  });
  return fc.tuple(sequence, samplingExtras(vocabSize)).map(([base, extras]) => ({ ...base, ...extras }));
}

/** A sequence without anything special, for tests that are about something else. */
export function plainSequence(parts: Partial<PlannedSequence> & Pick<PlannedSequence, 'prompt'>): PlannedSequence {
  return {
    numTokens: 1,
    temperature: 0,
    topK: 0,
    topP: 1,
    seed: 0n,
    arrival: 0,
    chunk: 1 << 20,
    drafts: [],
    ...NO_SAMPLING_EXTRAS,
    ...parts,
  };
}

/** The same sequence, undisturbed: from the first step, its prompt in one piece, without drafts. */
export function undisturbed(sequence: PlannedSequence): PlannedSequence {
  return { ...sequence, arrival: 0, chunk: 1 << 20, drafts: [] };
}
