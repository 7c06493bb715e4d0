import type { FinishReason } from '@kvasir/interfaces';
import type { EngineObserver, StepRecord } from './observer.js';
import { ObserverSet } from './observer-set.js';
import type { RunningRequest } from './requests/running-request.js';
import type { Sequence } from './sequence.js';
import { TenantMeters } from './tenant-meters.js';

/** Counts what happens and tells the observers. */
export class Meters {
  readonly #observers = new ObserverSet<EngineObserver>('engine');
  readonly tenants = new TenantMeters();
  readonly finished: Record<FinishReason, number> = { stop: 0, length: 0, abort: 0, error: 0 };
  numRequests = 0;
  promptTokens = 0;
  cachedPromptTokens = 0;
  generationTokens = 0;
  numSteps = 0;
  numFailedSteps = 0;
  numDeadlinesExceeded = 0;

  observe(observer: EngineObserver): () => void {
    return this.#observers.add(observer);
  }

  /** A request is part of a step for the first time. */
  scheduled({ times, promptLength, cachedTokens, tenant }: RunningRequest, now: number): void {
    times.scheduledMs = now;
    this.promptTokens += promptLength;
    this.cachedPromptTokens += cachedTokens;
    tenant.promptTokens += promptLength;
    tenant.cachedPromptTokens += cachedTokens;
    this.#observers.tell((observer) => observer.onQueueTime?.(now - times.arrivalMs));
  }

  /** A sequence gained tokens. */
  tokens(sequence: Sequence, numTokens: number, now: number): void {
    const { times, tenant } = sequence.request;
    sequence.request.longestOutput = Math.max(
      sequence.request.longestOutput,
      sequence.length - sequence.request.promptLength,
    );
    this.generationTokens += numTokens;
    tenant.generationTokens += numTokens;
    const previous = sequence.lastTokenMs;
    sequence.lastTokenMs = now;
    times.lastTokenMs = now;
    if (previous !== undefined) this.#observers.tell((observer) => observer.onInterToken?.(now - previous));
    if (times.firstTokenMs !== undefined) return;
    times.firstTokenMs = now;
    this.#observers.tell((observer) => observer.onFirstToken?.(now - times.arrivalMs));
  }

  step(record: StepRecord): void {
    this.numSteps++;
    this.#observers.tell((observer) => observer.onStep?.(record));
  }

  submitted({ tenant }: RunningRequest): void {
    this.numRequests++;
    tenant.numRequests++;
  }

  /** A request whose signal had fired before it was submitted. */
  refused(running: RunningRequest, now: number): void {
    this.submitted(running);
    this.ended(running, 'abort', now);
  }

  ended(running: RunningRequest, finishReason: FinishReason, now: number): void {
    this.finished[finishReason]++;
    running.tenant.numFinished++;
    const { request, times } = running;
    const { arrivalMs, scheduledMs, firstTokenMs, lastTokenMs } = times;
    const record = {
      requestId: running.id,
      seed: request.sampling.seed,
      finishReason,
      usage: running.usage(),
      maxTokens: request.sampling.maxTokens,
      numChoices: running.stream.numChoices,
      longestOutput: running.longestOutput,
      ...(request.tenant === undefined ? {} : { tenant: request.tenant }),
      queueMs: interval(arrivalMs, scheduledMs),
      prefillMs: interval(scheduledMs, firstTokenMs),
      decodeMs: interval(firstTokenMs, lastTokenMs),
      inferenceMs: interval(scheduledMs, lastTokenMs),
      timeToFirstTokenMs: interval(arrivalMs, firstTokenMs),
      endToEndMs: now - arrivalMs,
    };
    this.#observers.tell((observer) => observer.onFinish?.(record));
  }
}

function interval(from: number | undefined, to: number | undefined): number | undefined {
  return from === undefined || to === undefined ? undefined : to - from;
}
