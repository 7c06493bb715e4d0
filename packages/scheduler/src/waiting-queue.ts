import { InvariantError } from '@kvasir/interfaces';
import type { SchedulingPolicy } from './policies/policy.js';
import type { ScheduledSequence } from './scheduled-sequence.js';

/** Sequences without a slot, in the order of a policy: a binary heap whose entries know their place, so that any of them leaves in O(log n). */
export class WaitingQueue {
  readonly #compare: SchedulingPolicy;
  readonly #heap: ScheduledSequence[] = [];

  constructor(compare: SchedulingPolicy) {
    this.#compare = compare;
  }

  get size(): number {
    return this.#heap.length;
  }

  /** Who is next. */
  peek(): ScheduledSequence | undefined {
    return this.#heap[0];
  }

  push(sequence: ScheduledSequence): void {
    this.#place(sequence, this.#heap.length);
    this.#siftUp(sequence);
  }

  remove(sequence: ScheduledSequence): void {
    const at = sequence.queueIndex;
    const last = this.#heap.pop() as ScheduledSequence;
    sequence.queueIndex = -1;
    if (last === sequence) return;
    this.#place(last, at);
    this.#siftDown(last);
    this.#siftUp(last);
  }

  checkIntegrity(): void {
    this.#heap.forEach((sequence, at) => {
      const facts = { sequence: sequence.id, at, queueIndex: sequence.queueIndex, status: sequence.status };
      if (sequence.queueIndex !== at) throw new InvariantError('queued sequence does not know its place', facts);
      if (sequence.status !== 'waiting') throw new InvariantError('queued sequence is not waiting', facts);
      const parent = this.#heap[(at - 1) >> 1];
      if (at > 0 && this.#compare(parent as ScheduledSequence, sequence) > 0) {
        throw new InvariantError('waiting queue is out of order', facts);
      }
    });
  }

  #place(sequence: ScheduledSequence, at: number): void {
    this.#heap[at] = sequence;
    sequence.queueIndex = at;
  }

  #siftUp(sequence: ScheduledSequence): void {
    let at = sequence.queueIndex;
    while (at > 0) {
      const parent = this.#heap[(at - 1) >> 1] as ScheduledSequence;
      if (this.#compare(parent, sequence) <= 0) break;
      this.#place(parent, at);
      at = (at - 1) >> 1;
    }
    this.#place(sequence, at);
  }

  #siftDown(sequence: ScheduledSequence): void {
    let at = sequence.queueIndex;
    for (;;) {
      let child = 2 * at + 1;
      const right = this.#heap[child + 1];
      if (right !== undefined && this.#compare(right, this.#heap[child] as ScheduledSequence) < 0) child++;
      const next = this.#heap[child];
      if (next === undefined || this.#compare(sequence, next) <= 0) break;
      this.#place(next, at);
      at = child;
    }
    this.#place(sequence, at);
  }
}
