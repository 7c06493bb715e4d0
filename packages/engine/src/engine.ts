import { type GenerateRequest, InvariantError, type KvCacheEvent, type PrefixKeys } from '@kvasir/interfaces';
import { type Clock, systemClock } from './clock.js';
import { collectStats } from './collect-stats.js';
import type { CloseOptions, EngineLimits, EngineOptions, SubmitOptions } from './engine-options.js';
import { DuplicateRequestError, EngineClosedError, QueueFullError } from './errors.js';
import { Meters } from './meters.js';
import type { EngineObserver, EngineStats } from './observer.js';
import { OutputStream } from './output-stream.js';
import { checkRequest, checkTokenIds } from './requests/check-request.js';
import { RequestRunner } from './requests/request-runner.js';
import { numPlacesOf, RunningRequest } from './requests/running-request.js';
import { drawRandomSeed } from './seeds.js';
import { StepLoop } from './step-loop.js';

/** Runs many requests over one session: admission, and the way out. Steps are the loop's, requests the runner's. */
export class Engine {
  readonly limits: EngineLimits;
  readonly #options: EngineOptions;
  readonly #clock: Clock;
  readonly #loop: StepLoop;
  readonly #runner: RequestRunner;
  readonly #eosTokenIds: readonly number[];
  readonly #meters = new Meters();
  #broken: Error | undefined;
  #closing: Promise<void> | undefined;
  #onDrained: (() => void) | undefined;

  constructor(options: EngineOptions) {
    const { scheduler, session, kvCache, tokenizer, limits } = options;
    this.limits = limits;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#eosTokenIds = options.eosTokenIds ?? (tokenizer.eosTokenId === undefined ? [] : [tokenizer.eosTokenId]);
    this.#runner = new RequestRunner({
      scheduler,
      tokenizer,
      meters: this.#meters,
      clock: this.#clock,
      limits,
      eosTokenIds: this.#eosTokenIds,
      wake: () => this.#loop.wake(),
      onBroken: (error) => {
        this.#broken = error;
      },
      onIdle: () => {
        if (this.#runner.numRequests === 0) this.#onDrained?.();
      },
    });
    this.#loop = new StepLoop({
      session,
      scheduler,
      kvCache,
      maxNumSeqs: limits.maxNumSeqs,
      maxInFlight: limits.maxInFlight,
      sequenceOf: (id) => this.#runner.sequenceOf(id),
      now: () => this.#clock.now(),
      listener: this.#runner,
    });
  }

  /** Requests that have not ended. */
  get numUnfinished(): number {
    return this.#runner.numRequests;
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
    const { requestId, promptTokenIds, sampling } = request;
    if (this.#runner.find(requestId) !== undefined) throw new DuplicateRequestError(requestId);
    checkRequest(request, this.limits, this.#eosTokenIds);
    this.#checkQueue(numPlacesOf(request));
    const facts = { requestId, promptTokenIds, seed: sampling.seed, numChoices: request.n };
    const stream = new OutputStream(facts, () => this.#leave(running));
    const running = new RunningRequest(
      request,
      stream,
      this.#meters.tenants.of(request.tenant),
      options.arrivalMs ?? this.#clock.now(),
    );
    const { signal } = options;
    if (signal?.aborted === true) {
      this.#meters.refused(running, this.#clock.now());
      stream.fail(signal.reason);
      return stream;
    }
    this.#runner.begin(running);
    this.#meters.submitted(running);
    if (signal !== undefined) this.#follow(running, signal);
    return stream;
  }

  /**
   * Ends a request; the last delta of each of its choices has the finish reason `abort`. Its blocks are free at the commit of the
   * last step that holds it.
   * @returns `false` if there is no such request (any more).
   */
  abort(requestId: string): boolean {
    const running = this.#runner.find(requestId);
    if (running === undefined) return false;
    this.#runner.abort(running);
    return true;
  }

  /** Forgets every cached prefix that no running request holds. */
  resetPrefixCache(): void {
    this.#options.kvCache.resetPrefixCache();
  }

  /** Counters and gauges; cheap enough for every scrape. */
  stats(): EngineStats {
    return collectStats(this.#options.scheduler, this.#options.kvCache, this.#meters, this.#runner);
  }

  /** Adds an observer; returns the way to take it off. */
  observe(observer: EngineObserver): () => void {
    return this.#meters.observe(observer);
  }

  /** Hears of what the KV cache stores, drops and clears; see `KvCacheManager.subscribe`. Returns the way to stop. */
  subscribeKvEvents(listener: (event: KvCacheEvent) => void): () => void {
    return this.#options.kvCache.subscribe(listener);
  }

  /**
   * Keeps the blocks of a prefix (a system prompt) cached once they have been computed, until {@link Engine.unpinPrefix}. A pin of the
   * same name is replaced.
   * @throws `InvalidArgumentError` For token ids outside the vocabulary; `ERR_PIN_LIMIT` When all pins would exceed their share.
   */
  pinPrefix(name: string, tokenIds: ArrayLike<number>, keys: PrefixKeys = {}): void {
    checkTokenIds('tokenIds', tokenIds, this.limits.vocabSize);
    this.#options.kvCache.pin(name, Int32Array.from(tokenIds), keys);
  }

  /** Ends a pin. @returns `false` when there is none of that name. */
  unpinPrefix(name: string): boolean {
    return this.#options.kvCache.unpin(name);
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
    this.#runner.checkIntegrity();
    const facts = {
      numRequests: this.#runner.numRequests,
      numInFlight: this.#loop.numInFlight,
      numFreeBlocks: kvCache.numFreeBlocks,
      numPinnedBlocks: kvCache.stats().numPinnedBlocks,
      numBlocks: kvCache.numBlocks,
    };
    const numIdle = facts.numFreeBlocks + facts.numPinnedBlocks;
    if (facts.numRequests === 0 && facts.numInFlight === 0 && numIdle !== facts.numBlocks) {
      throw new InvariantError('an idle engine holds blocks', facts);
    }
  }

  #checkOpen(): void {
    if (this.#broken !== undefined) throw this.#broken;
    if (this.#closing !== undefined) throw new EngineClosedError();
  }

  /** An empty queue takes any request, however many places it needs. */
  #checkQueue(numPlaces: number): void {
    const { numQueued } = this.#runner;
    const { maxQueuedRequests } = this.limits;
    if (numQueued > 0 && numQueued + numPlaces > maxQueuedRequests) {
      const retryAfterMs = this.#runner.retryAfterMs(numQueued + numPlaces - maxQueuedRequests);
      throw new QueueFullError(numQueued, maxQueuedRequests, retryAfterMs);
    }
  }

  #follow(running: RunningRequest, signal: AbortSignal): void {
    const onAbort = () => this.#runner.fail(running, 'abort', signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    running.onEnd(() => signal.removeEventListener('abort', onAbort));
  }

  /** The consumer left its loop. */
  #leave(running: RunningRequest): void {
    if (running.finishReason === undefined) this.#runner.end(running, 'abort');
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
    for (const running of this.#runner.requests) this.#runner.abort(running);
    this.#loop.wake();
    await drained;
    await this.#options.session.close();
  }
}
