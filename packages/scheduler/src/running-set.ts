import { InvariantError } from '@kvasir/interfaces';
import type { SchedulingPolicy } from './policies/policy.js';
import type { ScheduledSequence } from './scheduled-sequence.js';

/** Sequences that hold a slot and have not ended, in the order of a policy. */
export class RunningSet {
  readonly #compare: SchedulingPolicy['compare'];
  readonly #sequences: ScheduledSequence[] = [];

  constructor(compare: SchedulingPolicy['compare']) {
    this.#compare = compare;
  }

  get size(): number {
    return this.#sequences.length;
  }

  at(index: number): ScheduledSequence {
    return this.#sequences[index] as ScheduledSequence;
  }

  /** Mostly an append: who is admitted last usually goes last. */
  add(sequence: ScheduledSequence): void {
    const sequences = this.#sequences;
    sequences.push(sequence);
    let at = sequences.length - 1;
    for (; at > 0 && this.#compare(this.at(at - 1), sequence) > 0; at--) sequences[at] = this.at(at - 1);
    sequences[at] = sequence;
  }

  removeAt(index: number): void {
    this.#sequences.splice(index, 1);
  }

  /** Drops those that are not running any more, all in one pass. */
  sweep(): void {
    const sequences = this.#sequences;
    let kept = 0;
    for (let i = 0; i < sequences.length; i++) {
      const sequence = this.at(i);
      if (sequence.status === 'running') sequences[kept++] = sequence;
    }
    while (sequences.length > kept) sequences.pop();
  }

  checkIntegrity(): void {
    this.#sequences.forEach((sequence, at) => {
      const facts = { sequence: sequence.id, at, status: sequence.status };
      if (sequence.status !== 'running') throw new InvariantError('running set holds another', facts);
      if (at > 0 && this.#compare(this.at(at - 1), sequence) >= 0) {
        throw new InvariantError('running set is out of order', facts);
      }
    });
  }
}
