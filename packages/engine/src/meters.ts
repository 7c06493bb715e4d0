import type { FinishReason } from '@kvasir/interfaces';
import type { EngineObserver, StepRecord } from './observer.js';
import type { Sequence } from './sequence.js';

/** Counts what happens and tells the observers. */
export class Meters {
  readonly #observers = new Set<EngineObserver>();
  readonly finished: Record<FinishReason, number> = { stop: 0, length: 0, abort: 0, error: 0 };
  numRequests = 0;
  promptTokens = 0;
  cachedPromptTokens = 0;
  generationTokens = 0;
  numSteps = 0;
  numFailedSteps = 0;

  observe(observer: EngineObserver): () => void {
    this.#observers.add(observer);
    return () => this.#observers.delete(observer);
  }

  /** A sequence is part of a step for the first time. */
  scheduled(sequence: Sequence, now: number): void {
    sequence.times.scheduledMs = now;
    this.promptTokens += sequence.promptLength;
    this.cachedPromptTokens += sequence.cachedTokens;
    this.#tell((observer) => observer.onQueueTime?.(now - sequence.times.arrivalMs));
  }

  tokens(sequence: Sequence, numTokens: number, now: number): void {
    const { times } = sequence;
    this.generationTokens += numTokens;
    const previous = times.lastTokenMs;
    times.lastTokenMs = now;
    if (previous !== undefined) {
      this.#tell((observer) => observer.onInterToken?.(now - previous));
      return;
    }
    times.firstTokenMs = now;
    this.#tell((observer) => observer.onFirstToken?.(now - times.arrivalMs));
  }

  step(record: StepRecord): void {
    this.numSteps++;
    this.#tell((observer) => observer.onStep?.(record));
  }

  ended(sequence: Sequence, finishReason: FinishReason, now: number): void {
    this.finished[finishReason]++;
    const { arrivalMs, scheduledMs, firstTokenMs, lastTokenMs } = sequence.times;
    const record = {
      requestId: sequence.request.requestId,
      seed: sequence.request.sampling.seed,
      finishReason,
      usage: sequence.usage(),
      maxTokens: sequence.request.sampling.maxTokens,
      queueMs: interval(arrivalMs, scheduledMs),
      prefillMs: interval(scheduledMs, firstTokenMs),
      decodeMs: interval(firstTokenMs, lastTokenMs),
      inferenceMs: interval(scheduledMs, lastTokenMs),
      timeToFirstTokenMs: interval(arrivalMs, firstTokenMs),
      endToEndMs: now - arrivalMs,
    };
    this.#tell((observer) => observer.onFinish?.(record));
  }

  #tell(call: (observer: EngineObserver) => void): void {
    for (const observer of this.#observers) {
      try {
        call(observer);
      } catch (error) {
        this.#observers.delete(observer);
        process.emitWarning(`an observer of the engine threw and is dropped: ${String(error)}`);
      }
    }
  }
}

function interval(from: number | undefined, to: number | undefined): number | undefined {
  return from === undefined || to === undefined ? undefined : to - from;
}
