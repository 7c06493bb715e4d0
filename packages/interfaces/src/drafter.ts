import type { SequenceId } from './ids.js';

/**
 * Proposes tokens that the target then verifies. Drafts never change what is generated: a draft is accepted
 * iff it equals what the target samples at that position with that position's noise.
 */
export interface Drafter {
  /** Starts following a sequence with the tokens it has. */
  open(sequence: SequenceId, tokenIds: ArrayLike<number>): void;
  /** Appends tokens that were accepted. */
  append(sequence: SequenceId, tokenIds: ArrayLike<number>): void;
  /** Writes at most `maxDrafts` tokens to `out`; returns how many. */
  propose(sequence: SequenceId, maxDrafts: number, out: Int32Array): number;
  /** Stops following a sequence and forgets it. */
  close(sequence: SequenceId): void;
}
