import type { ScheduledSequence } from './scheduled-sequence.js';

/**
 * Tokens of `sequence` that go into a row from `start` on: everything that is left, or a chunk of it.
 * Every token yields one output at most, so as many tokens as outputs always keep within `maxOutputs`.
 */
export function chunkSize(sequence: ScheduledSequence, start: number, maxTokens: number, maxOutputs: number): number {
  const numQuery = Math.min(sequence.length + sequence.numPlaceholders - start, maxTokens);
  return sequence.numOutputs(start, numQuery) <= maxOutputs ? numQuery : Math.min(numQuery, maxOutputs);
}
