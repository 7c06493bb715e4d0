import { InvariantError } from '@kvasir/interfaces';
import type { SchedulingPolicy } from './policies/policy.js';
import type { ScheduledSequence } from './scheduled-sequence.js';
import { SortedQueue } from './sorted-queue.js';

/** Sequences that could be admitted: one queue, or one a tenant, each in the order of the policy. */
export class WaitingQueue {
  /** Times that somebody who waits was passed by somebody who was admitted. */
  numBypasses = 0;
  readonly #policy: SchedulingPolicy;
  readonly #maxBypass: number;
  readonly #countUncached: (sequence: ScheduledSequence) => number;
  readonly #queues = new Map<string, SortedQueue<ScheduledSequence>>();
  /** Reused by every choice. */
  readonly #heads: ScheduledSequence[] = [];
  #size = 0;
  #scan = 0;

  constructor(policy: SchedulingPolicy, maxBypass: number, countUncached: (sequence: ScheduledSequence) => number) {
    this.#policy = policy;
    this.#maxBypass = maxBypass;
    this.#countUncached = countUncached;
  }

  get size(): number {
    return this.#size;
  }

  push(sequence: ScheduledSequence): void {
    const key = this.#keyOf(sequence);
    let queue = this.#queues.get(key);
    if (queue === undefined) {
      queue = new SortedQueue(this.#policy.compare);
      this.#queues.set(key, queue);
    }
    queue.add(sequence);
    sequence.isQueued = true;
    this.#size++;
  }

  /** Takes `sequence` out; `wasAdmitted` counts it against those in the window that it went past. */
  remove(sequence: ScheduledSequence, wasAdmitted = false): void {
    const key = this.#keyOf(sequence);
    const queue = this.#queues.get(key) as SortedQueue<ScheduledSequence>;
    const index = queue.indexOf(sequence);
    if (wasAdmitted && this.#policy.window > 1) for (let i = 0; i < index; i++) this.notePassed(queue.at(i));
    queue.removeAt(index);
    if (queue.size === 0) this.#queues.delete(key);
    sequence.isQueued = false;
    this.#size--;
  }

  /** Counts that somebody was admitted before `sequence`, which was to go first. */
  notePassed(sequence: ScheduledSequence): void {
    sequence.numBypassed++;
    this.numBypasses++;
  }

  /** Who leads, whatever can be done for it; the first of a choice. */
  peek(): ScheduledSequence | undefined {
    this.startScan();
    const first = this.next();
    this.startScan();
    return first;
  }

  /** Starts to go through the queue; each member comes up once at most. */
  startScan(): void {
    this.#scan++;
  }

  /** Who is to be tried next in this scan. */
  next(): ScheduledSequence | undefined {
    const heads = this.#heads;
    heads.length = 0;
    for (const queue of this.#queues.values()) this.#collect(queue);
    if (heads.length === 0) return undefined;
    const chosen = heads[heads.length === 1 ? 0 : this.#policy.choose(heads, this.#maxBypass)] as ScheduledSequence;
    chosen.scannedIn = this.#scan;
    return chosen;
  }

  checkIntegrity(): void {
    let size = 0;
    for (const [key, queue] of this.#queues) {
      if (queue.size === 0) throw new InvariantError('an empty queue was kept', { size: this.#size });
      size += queue.size;
      for (let at = 0; at < queue.size; at++) {
        const sequence = queue.at(at);
        const facts = { sequence: sequence.id, at, status: sequence.status };
        if (!sequence.isQueued) throw new InvariantError('queued sequence does not know it', facts);
        if (sequence.status !== 'waiting') throw new InvariantError('queued sequence is not waiting', facts);
        if (this.#keyOf(sequence) !== key) throw new InvariantError('queued with another tenant', facts);
        if (at > 0 && this.#policy.compare(queue.at(at - 1), sequence) >= 0) {
          throw new InvariantError('waiting queue is out of order', facts);
        }
      }
    }
    if (size !== this.#size)
      throw new InvariantError('waiting sequences were miscounted', { size, counted: this.#size });
  }

  #keyOf(sequence: ScheduledSequence): string {
    return this.#policy.queues === 'one' ? '' : sequence.tenant.name;
  }

  #collect(queue: SortedQueue<ScheduledSequence>): void {
    const { window, needsUncached } = this.#policy;
    for (let at = 0, seen = 0; at < queue.size && seen < window; at++) {
      const sequence = queue.at(at);
      if (sequence.scannedIn === this.#scan) continue;
      if (needsUncached && sequence.countedIn !== this.#scan) {
        sequence.numUncached = this.#countUncached(sequence);
        sequence.countedIn = this.#scan;
      }
      this.#heads.push(sequence);
      seen++;
    }
  }
}
