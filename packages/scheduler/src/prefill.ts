import type { ScheduledSequence } from './scheduled-sequence.js';

/**
 * Tokens of `sequence` that go into a row from `start` on: at most `maxTokens`, and fewer where those would yield more than
 * `maxOutputs` outputs. Every token yields one at most, so as many tokens as outputs always do.
 */
export function chunkSize(sequence: ScheduledSequence, start: number, maxTokens: number, maxOutputs: number): number {
  const numQuery = Math.min(sequence.length + sequence.numPlaceholders - start, maxTokens);
  if (sequence.numOutputs(start, numQuery) <= maxOutputs) return numQuery;
  return sequence.spec.promptLogprobs ? Math.min(numQuery, maxOutputs) : numQuery - 1;
}
