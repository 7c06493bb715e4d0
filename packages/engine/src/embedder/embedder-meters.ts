import type { FinishReason } from '@kvasir/interfaces';
import { ObserverSet } from '../observer-set.js';

/** One batch that was encoded. */
export interface BatchRecord {
  readonly numSequences: number;
  readonly numTokens: number;
  /** From submission to result. */
  readonly elapsedMs: number;
}

/** One input that has its vector. */
export interface EmbeddedInput {
  readonly numTokens: number;
  /** Arrival of its call to the batch that held it. */
  readonly queueMs: number;
  /** Time of that batch. */
  readonly inferenceMs: number;
  /** Arrival to vector. */
  readonly endToEndMs: number;
}

/** Hears what an embedder does, for metrics. Called synchronously; an observer that throws is dropped with a process warning. */
export interface EmbedderObserver {
  /** After each batch that has a result. */
  onBatch?(record: BatchRecord): void;
  /** After each input that got its vector. */
  onEmbedded?(input: EmbeddedInput): void;
}

/** Counters since the embedder was made, and gauges of now. An input is one text or one sequence of token ids. */
export interface EmbedderStats {
  /** Inputs in the batch that runs. */
  readonly numRunning: number;
  /** Inputs that wait for a batch, and their tokens. */
  readonly numWaiting: number;
  readonly numWaitingTokens: number;
  /** Calls, and their inputs. */
  readonly numCalls: number;
  readonly numInputs: number;
  /** Tokens of inputs that got their vector. */
  readonly promptTokens: number;
  readonly numBatches: number;
  readonly numFailedBatches: number;
  /** Inputs that ended: with a vector, with their call's signal or the embedder's end, with a batch that failed. */
  readonly finished: Readonly<Record<Exclude<FinishReason, 'length'>, number>>;
}

/** Counts what happens and tells the observers. */
export class EmbedderMeters {
  readonly observers = new ObserverSet<EmbedderObserver>('embedder');
  readonly finished = { stop: 0, abort: 0, error: 0 };
  numCalls = 0;
  numInputs = 0;
  promptTokens = 0;
  numBatches = 0;
  numFailedBatches = 0;

  submitted(numInputs: number): void {
    this.numCalls++;
    this.numInputs += numInputs;
  }

  batch(record: BatchRecord): void {
    this.numBatches++;
    this.observers.tell((observer) => observer.onBatch?.(record));
  }

  embedded(input: EmbeddedInput): void {
    this.finished.stop++;
    this.promptTokens += input.numTokens;
    this.observers.tell((observer) => observer.onEmbedded?.(input));
  }
}
