import {
  type FinishReason,
  type GenerateRequest,
  InvariantError,
  KvasirError,
  type SequenceId,
  type StepPlan,
  type StepResult,
} from '@kvasir/interfaces';
import { checkRequest } from './check-request.js';
import { type Clock, systemClock } from './clock.js';
import { collectStats } from './collect-stats.js';
import type { CloseOptions, EngineLimits, EngineOptions, SubmitOptions } from './engine-options.js';
import { DuplicateRequestError, EngineClosedError, QueueFullError, StepFailedError } from './errors.js';
import { Meters } from './meters.js';
import type { EngineObserver, EngineStats } from './observer.js';
import { OutputStream } from './output-stream.js';
import { drawRandomSeed } from './seeds.js';
import { Sequence } from './sequence.js';
import { type Flight, type StepListener, StepLoop } from './step-loop.js';
import type { RowOutput, StepOutput } from './step-output.js';
import { takeChunk } from './take-chunk.js';

/** Runs many requests over one session: admission, the step loop, text, and the end of each request exactly once. */
export class Engine {
  readonly limits: EngineLimits;
  readonly #options: EngineOptions;
  readonly #clock: Clock;
  readonly #loop: StepLoop;
  readonly #meters = new Meters();
  readonly #requests = new Map<string, Sequence>();
  readonly #sequences = new Map<SequenceId, Sequence>();
  #numSequences = 0;
  #broken: Error | undefined;
  #closing: Promise<void> | undefined;
  #onDrained: (() => void) | undefined;

  constructor(options: EngineOptions) {
    this.limits = options.limits;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#loop = new StepLoop({
      session: options.session,
      scheduler: options.scheduler,
      kvCache: options.kvCache,
      maxNumSeqs: options.limits.maxNumSeqs,
      maxInFlight: options.limits.maxInFlight,
      sequenceOf: (id) => this.#sequenceOf(id),
      now: () => this.#clock.now(),
      listener: this.#createListener(),
    });
  }

  /** Requests that have not ended. */
  get numUnfinished(): number {
    return this.#requests.size;
  }

  /** What broke the engine for good, so that it takes no requests; `undefined` while it runs. */
  get failure(): Error | undefined {
    return this.#broken;
  }

  /** A seed for a request that has none. */
  drawSeed(): bigint {
    return (this.#options.drawSeed ?? drawRandomSeed)();
  }

  /**
   * Queues a request; it may be part of the very next step.
   * @throws {@link QueueFullError}, {@link PromptTooLongError}, {@link DuplicateRequestError}, {@link EngineClosedError} and
   * `InvalidArgumentError`, at once; nothing was queued.
   */
  submit(request: GenerateRequest, options: SubmitOptions = {}): OutputStream {
    this.#checkOpen();
    if (this.#requests.has(request.requestId)) throw new DuplicateRequestError(request.requestId);
    checkRequest(request, this.limits);
    const { numWaiting } = this.#options.scheduler.stats();
    if (numWaiting >= this.limits.maxQueuedRequests) {
      throw new QueueFullError(numWaiting, this.limits.maxQueuedRequests);
    }
    const { signal } = options;
    const { sampling, promptTokenIds, requestId } = request;
    const stream = new OutputStream({ requestId, promptTokenIds, seed: sampling.seed }, () => this.#leave(sequence));
    const sequence = new Sequence({
      id: ++this.#numSequences as SequenceId,
      request,
      stream,
      tokenizer: this.#options.tokenizer,
      maxLength: Math.min(promptTokenIds.length + sampling.maxTokens, this.limits.maxModelLen),
      arrivalMs: options.arrivalMs ?? this.#clock.now(),
    });
    if (signal?.aborted === true) {
      this.#meters.numRequests++;
      this.#meters.ended(sequence, 'abort', this.#clock.now());
      stream.fail(signal.reason);
      return stream;
    }
    this.#options.scheduler.add({
      id: sequence.id,
      promptTokenIds,
      maxLength: sequence.maxLength,
      promptLogprobs: sampling.promptLogprobs !== undefined,
      needsSync: false,
      ...(request.cacheSalt === undefined ? {} : { salt: request.cacheSalt }),
      ...(request.priority === undefined ? {} : { priority: request.priority }),
    });
    this.#meters.numRequests++;
    this.#requests.set(requestId, sequence);
    this.#sequences.set(sequence.id, sequence);
    if (signal !== undefined) this.#follow(sequence, signal);
    this.#loop.wake();
    return stream;
  }

  /**
   * Ends a request; its last delta has the finish reason `abort`. Its blocks are free at the commit of the last step that holds it.
   * @returns `false` if there is no such request (any more).
   */
  abort(requestId: string): boolean {
    const sequence = this.#requests.get(requestId);
    if (sequence === undefined) return false;
    this.#abort(sequence);
    return true;
  }

  /** Counters and gauges; cheap enough for every scrape. */
  stats(): EngineStats {
    return collectStats(this.#options.scheduler, this.#options.kvCache, this.#meters);
  }

  /** Adds an observer; returns the way to take it off. */
  observe(observer: EngineObserver): () => void {
    return this.#meters.observe(observer);
  }

  /** Takes no more requests, lets the running ones end within `drainTimeoutMs`, aborts the rest, and closes the session. */
  close(options: CloseOptions = {}): Promise<void> {
    this.#closing ??= this.#close(options.drainTimeoutMs ?? 0);
    return this.#closing;
  }

  /** Closes at once. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** @throws `InvariantError` when requests, scheduler and KV cache disagree. */
  checkIntegrity(): void {
    const { scheduler, kvCache } = this.#options;
    scheduler.checkIntegrity();
    kvCache.checkIntegrity();
    const facts = {
      numRequests: this.#requests.size,
      numSequences: this.#sequences.size,
      numScheduled: scheduler.numUnfinished,
      numInFlight: this.#loop.numInFlight,
      numFreeBlocks: kvCache.numFreeBlocks,
      numBlocks: kvCache.numBlocks,
    };
    if (facts.numScheduled !== facts.numRequests) {
      throw new InvariantError('requests and scheduled sequences differ', facts);
    }
    if (facts.numRequests === 0 && facts.numInFlight === 0 && facts.numFreeBlocks !== facts.numBlocks) {
      throw new InvariantError('an idle engine holds blocks', facts);
    }
  }

  #checkOpen(): void {
    if (this.#broken !== undefined) throw this.#broken;
    if (this.#closing !== undefined) throw new EngineClosedError();
  }

  #sequenceOf(id: SequenceId): Sequence {
    const sequence = this.#sequences.get(id);
    if (sequence === undefined) throw new InvariantError('the scheduler planned an unknown sequence', { sequence: id });
    return sequence;
  }

  #follow(sequence: Sequence, signal: AbortSignal): void {
    const onAbort = () => {
      this.#options.scheduler.abort(sequence.id);
      this.#fail(sequence, 'abort', signal.reason);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    sequence.detach = () => signal.removeEventListener('abort', onAbort);
  }

  #abort(sequence: Sequence): void {
    this.#options.scheduler.abort(sequence.id);
    this.#end(sequence, 'abort');
    sequence.stream.push({ text: '', tokenIds: [], finishReason: 'abort', usage: sequence.usage() });
  }

  /** The consumer left its loop. */
  #leave(sequence: Sequence): void {
    if (sequence.finishReason !== undefined) return;
    this.#options.scheduler.abort(sequence.id);
    this.#end(sequence, 'abort');
  }

  #fail(sequence: Sequence, finishReason: FinishReason, reason: unknown): void {
    this.#end(sequence, finishReason);
    sequence.stream.fail(reason);
  }

  /** The one way out of the engine for a request. */
  #end(sequence: Sequence, finishReason: FinishReason): void {
    if (sequence.finishReason !== undefined) {
      throw new InvariantError('a request ended twice', { sequence: sequence.id, finishReason });
    }
    sequence.finishReason = finishReason;
    sequence.detach();
    this.#requests.delete(sequence.request.requestId);
    this.#sequences.delete(sequence.id);
    this.#meters.ended(sequence, finishReason, this.#clock.now());
    this.#loop.wake();
  }

  #createListener(): StepListener {
    return {
      onPlanned: (plan, sequences) => this.#onPlanned(plan, sequences),
      onCommitted: (flight, output, result) => this.#onCommitted(flight, output, result),
      onStreaming: (flight, output) => this.#onStreaming(flight, output),
      onFailed: (flight, ended, reason) => {
        this.#meters.numFailedSteps++;
        const error = new StepFailedError(flight.plan.stepId, reason);
        for (const id of ended) {
          const sequence = this.#sequences.get(id);
          if (sequence !== undefined) this.#fail(sequence, 'error', error);
        }
      },
      onBroken: (reason) => {
        this.#broken = KvasirError.isInstance(reason)
          ? reason
          : new InvariantError(`the step loop broke: ${String(reason)}`);
        for (const sequence of [...this.#sequences.values()]) this.#fail(sequence, 'error', this.#broken);
      },
      onIdle: () => {
        if (this.#requests.size === 0) this.#onDrained?.();
      },
    };
  }

  #onPlanned(plan: StepPlan, sequences: readonly Sequence[]): void {
    const now = this.#clock.now();
    for (let i = 0; i < sequences.length; i++) {
      const sequence = sequences[i]!;
      if (sequence.times.scheduledMs !== undefined) continue;
      sequence.cachedTokens = plan.rows[i]!.numCachedTokens;
      this.#meters.scheduled(sequence, now);
    }
  }

  #onCommitted(flight: Flight, output: StepOutput, result: StepResult): void {
    const { plan } = flight;
    const { rows } = output;
    this.#meters.step({
      stepId: plan.stepId,
      numTokens: plan.numTokens,
      numRows: rows.length,
      numOutputs: plan.numOutputs,
      computeMs: result.computeMicros / 1000,
      elapsedMs: this.#clock.now() - flight.submittedMs,
    });
    for (let i = 0; i < rows.length; i++) {
      const sequence = flight.sequences[i]!;
      if (sequence.finishReason !== undefined) continue;
      for (const id of rows[i]!.tokenIds) sequence.append(id);
      if (sequence.firstMissingPromptLogprob < sequence.promptLength - 1) {
        sequence.promptLogprobs.push(...output.promptLogprobs(rows[i]!));
      }
    }
  }

  #onStreaming(flight: Flight, output: StepOutput): void {
    const now = this.#clock.now();
    const { rows } = output;
    for (let i = 0; i < rows.length; i++) {
      const sequence = flight.sequences[i]!;
      if (sequence.finishReason === undefined) this.#stream(sequence, rows[i]!, output, now);
    }
  }

  #stream(sequence: Sequence, row: RowOutput, output: StepOutput, now: number): void {
    if (row.tokenIds.length === 0) return;
    const chunk = takeChunk(sequence, row, output);
    this.#meters.tokens(sequence, chunk.tokenIds.length, now);
    if (chunk.finishReason === undefined) {
      sequence.stream.push(chunk);
      return;
    }
    // A stop string is found here only: the backend would go on.
    if (!row.ended) this.#options.scheduler.abort(sequence.id);
    this.#end(sequence, chunk.finishReason);
    sequence.stream.push(chunk);
  }

  async #close(drainTimeoutMs: number): Promise<void> {
    const drained = new Promise<void>((resolve) => {
      this.#onDrained = resolve;
    });
    this.#loop.wake();
    if (drainTimeoutMs > 0) {
      const timer = new AbortController();
      await Promise.race([drained, this.#clock.sleep(drainTimeoutMs, timer.signal)]);
      timer.abort();
    }
    for (const sequence of [...this.#sequences.values()]) this.#abort(sequence);
    this.#loop.wake();
    await drained;
    await this.#options.session.close();
  }
}
