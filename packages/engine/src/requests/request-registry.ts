import { InvariantError, type SequenceId } from '@kvasir/interfaces';
import type { Sequence } from '../sequence.js';
import { DrainRate } from './drain-rate.js';
import type { RunningRequest } from './running-request.js';

/** Who is here: requests and their sequences by id, the places of the queue that they take, and how fast those become free. */
export class RequestRegistry {
  readonly drain = new DrainRate();
  readonly #requests = new Map<string, RunningRequest>();
  readonly #sequences = new Map<SequenceId, Sequence>();
  /** Places of the queue that are taken by requests no step has held yet. */
  #numQueued = 0;

  get numRequests(): number {
    return this.#requests.size;
  }

  get numQueued(): number {
    return this.#numQueued;
  }

  get requests(): readonly RunningRequest[] {
    return [...this.#requests.values()];
  }

  find(requestId: string): RunningRequest | undefined {
    return this.#requests.get(requestId);
  }

  findSequence(id: SequenceId): Sequence | undefined {
    return this.#sequences.get(id);
  }

  /** A request has come; it waits for its first step. */
  enter(running: RunningRequest, now: number): void {
    this.#requests.set(running.id, running);
    if (this.#numQueued === 0) this.drain.restart(now);
    this.#numQueued += running.numPlaces;
  }

  /** A step holds the request; its `scheduledMs` is set right after. */
  leaveQueue(running: RunningRequest): void {
    this.#numQueued -= running.numPlaces;
  }

  /** The request has ended. */
  leave(running: RunningRequest, now: number): void {
    if (running.times.scheduledMs === undefined) this.leaveQueue(running);
    this.#requests.delete(running.id);
    this.drain.finished(running.numPlaces, now);
  }

  addSequence(sequence: Sequence): void {
    this.#sequences.set(sequence.id, sequence);
    sequence.request.sequences.add(sequence);
  }

  removeSequence(sequence: Sequence): void {
    sequence.request.sequences.delete(sequence);
    this.#sequences.delete(sequence.id);
  }

  /** When `numPlaces` of the queue should be free, by the rate at which it drains. */
  retryAfterMs(numPlaces: number, now: number): number {
    let leastTokensLeft: number | undefined;
    let numRunning = 0;
    for (const { times, sequences } of this.#requests.values()) {
      if (times.scheduledMs === undefined) continue;
      for (const { maxLength, length } of sequences) {
        numRunning++;
        leastTokensLeft = Math.min(maxLength - length, leastTokensLeft ?? Number.POSITIVE_INFINITY);
      }
    }
    return this.drain.retryAfterMs({ numPlaces, leastTokensLeft, numRunning }, now);
  }

  /** @throws `InvariantError` when requests, sequences and the `numScheduled` of the scheduler disagree. */
  checkIntegrity(numScheduled: number): void {
    let numSequences = 0;
    let numQueued = 0;
    for (const running of this.#requests.values()) {
      numSequences += running.sequences.size;
      if (running.times.scheduledMs === undefined) numQueued += running.numPlaces;
    }
    const facts = {
      numRequests: this.#requests.size,
      numSequences,
      numKnown: this.#sequences.size,
      numScheduled,
      numQueued,
      numPlaces: this.#numQueued,
    };
    if (numSequences !== facts.numKnown || numSequences !== numScheduled || numQueued !== facts.numPlaces) {
      throw new InvariantError('requests, sequences and scheduler differ', facts);
    }
  }
}
