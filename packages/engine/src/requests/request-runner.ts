import {
  type BlockTransfer,
  type FinishReason,
  InvariantError,
  KvasirError,
  type Scheduler,
  type SequenceId,
  type StepPlan,
  type StepResult,
  type Tokenizer,
} from '@kvasir/interfaces';
import type { SequenceStarter } from '../choices/choice-maker.js';
import { createChoiceMaker } from '../choices/create-choice-maker.js';
import type { Clock } from '../clock.js';
import type { EngineLimits } from '../engine-options.js';
import { StepFailedError } from '../errors.js';
import type { Meters } from '../meters.js';
import { Sequence, type SequenceStart } from '../sequence.js';
import type { Flight, StepListener } from '../step-loop.js';
import type { StepOutput } from '../step-output.js';
import { Deadlines } from './deadlines.js';
import { PrefillPace } from './prefill-pace.js';
import { RequestRegistry } from './request-registry.js';
import type { RunningRequest } from './running-request.js';

/** What a {@link RequestRunner} works with. */
export interface RequestRunnerOptions {
  readonly scheduler: Scheduler;
  readonly tokenizer: Tokenizer;
  readonly meters: Meters;
  readonly clock: Clock;
  readonly limits: EngineLimits;
  readonly eosTokenIds: readonly number[];
  /** There may be something to run or to give up. */
  readonly wake: () => void;
  readonly onBroken: (error: KvasirError) => void;
  /** Nothing is in flight and nothing can be planned. */
  readonly onIdle: () => void;
}

/**
 * Owns every running request and its sequences: starts them, hands them what steps bring, and ends each request exactly once.
 *
 * ```
 * request  1 -- n  sequences     a choice each, or the beams of the moment
 * begin -> (planned, committed, streamed)* -> end | abort | fail
 * ```
 */
export class RequestRunner implements StepListener, SequenceStarter {
  readonly #options: RequestRunnerOptions;
  readonly #registry = new RequestRegistry();
  readonly #pace = new PrefillPace();
  readonly #deadlines: Deadlines;
  /** Sequences ever started. */
  #numStarted = 0;

  constructor(options: RequestRunnerOptions) {
    this.#options = options;
    this.#deadlines = new Deadlines({
      clock: options.clock,
      pace: this.#pace,
      onExceeded: (running, error) => {
        options.meters.numDeadlinesExceeded++;
        this.fail(running, 'abort', error);
      },
    });
  }

  get numRequests(): number {
    return this.#registry.numRequests;
  }

  get numQueued(): number {
    return this.#registry.numQueued;
  }

  get requests(): readonly RunningRequest[] {
    return this.#registry.requests;
  }

  /** When `numPlaces` of the queue should be free, by the rate at which it drains. */
  retryAfterMs(numPlaces: number): number {
    return this.#registry.retryAfterMs(numPlaces, this.#options.clock.now());
  }

  find(requestId: string): RunningRequest | undefined {
    return this.#registry.find(requestId);
  }

  sequenceOf(id: SequenceId): Sequence {
    const sequence = this.#registry.findSequence(id);
    if (sequence === undefined) throw new InvariantError('the scheduler planned an unknown sequence', { sequence: id });
    return sequence;
  }

  /**
   * Starts a request's sequences.
   * @throws What the scheduler throws; then nothing of it is queued.
   */
  begin(running: RunningRequest): void {
    const { tokenizer, limits, eosTokenIds } = this.#options;
    running.maker = createChoiceMaker({ running, starter: this, tokenizer, limits, eosTokenIds });
    try {
      running.maker.begin();
    } catch (error) {
      this.#dropSequences(running);
      throw error;
    }
    this.#registry.enter(running, this.#options.clock.now());
    this.#deadlines.watch(running);
    this.#options.wake();
  }

  start(request: RunningRequest, start: SequenceStart): Sequence {
    const { cacheSalt, priority, tenant } = request.request;
    const sequence = new Sequence(++this.#numStarted as SequenceId, request, start);
    this.#options.scheduler.add({
      id: sequence.id,
      promptTokenIds: start.promptTokenIds,
      maxLength: start.maxLength,
      promptLogprobs: start.sampling.promptLogprobs !== undefined,
      needsSync: false,
      ...(start.forkOf === undefined ? {} : { forkOf: start.forkOf }),
      ...(start.parks === undefined ? {} : { parks: start.parks }),
      ...(cacheSalt === undefined ? {} : { salt: cacheSalt }),
      ...(priority === undefined ? {} : { priority }),
      ...(tenant === undefined ? {} : { tenant }),
    });
    this.#registry.addSequence(sequence);
    return sequence;
  }

  unpark(sequence: Sequence): void {
    sequence.parks = false;
    sequence.request.parked.delete(sequence);
    this.#options.scheduler.unpark(sequence.id);
  }

  /** Ends a request whose consumer still listens: every open choice gets a last delta. */
  abort(running: RunningRequest): void {
    this.end(running, 'abort');
    const usage = running.usage();
    for (const index of running.stream.openChoices) {
      running.stream.push({ index, text: '', tokenIds: [], finishReason: 'abort', usage });
    }
  }

  /** Ends a request with an error. */
  fail(running: RunningRequest, finishReason: FinishReason, reason: unknown): void {
    this.end(running, finishReason);
    running.stream.fail(reason);
  }

  /** The one way out of the engine for a request. */
  end(running: RunningRequest, finishReason: FinishReason): void {
    if (running.finishReason !== undefined) {
      throw new InvariantError('a request ended twice', { request: running.id, finishReason });
    }
    this.#dropSequences(running);
    for (const sequence of running.parked) this.unpark(sequence);
    running.finishReason = finishReason;
    running.detach();
    const now = this.#options.clock.now();
    this.#registry.leave(running, now);
    this.#options.meters.ended(running, finishReason, now);
    this.#options.wake();
  }

  onPlanned(plan: StepPlan, sequences: readonly Sequence[]): void {
    const now = this.#options.clock.now();
    for (let i = 0; i < sequences.length; i++) {
      const sequence = sequences[i]!;
      const { request } = sequence;
      const row = plan.rows[i]!;
      sequence.numPlanned = row.start + row.numQuery;
      if (request.times.scheduledMs !== undefined) continue;
      request.cachedTokens = row.numCachedTokens;
      this.#registry.leaveQueue(request);
      this.#options.meters.scheduled(request, now);
    }
  }

  onCommitted(flight: Flight, output: StepOutput, result: StepResult): void {
    const { plan } = flight;
    const { rows } = output;
    const computeMs = result.computeMicros / 1000;
    this.#pace.note(plan.numTokens, computeMs);
    this.#options.meters.step({
      stepId: plan.stepId,
      numTokens: plan.numTokens,
      numRows: rows.length,
      numOutputs: plan.numOutputs,
      numLoadedBlocks: count(flight.transfers, 'load'),
      numStoredBlocks: count(flight.transfers, 'store'),
      computeMs,
      elapsedMs: this.#options.clock.now() - flight.submittedMs,
    });
    for (let i = 0; i < rows.length; i++) {
      const sequence = flight.sequences[i]!;
      if (sequence.hasEnded) continue;
      for (const id of rows[i]!.tokenIds) sequence.append(id);
      if (sequence.firstMissingPromptLogprob < sequence.promptLength - 1) {
        sequence.promptLogprobs.push(...output.promptLogprobs(rows[i]!));
      }
    }
  }

  onStreaming(flight: Flight, output: StepOutput): void {
    const now = this.#options.clock.now();
    const { rows } = output;
    for (let i = 0; i < rows.length; i++) {
      const sequence = flight.sequences[i]!;
      const row = rows[i]!;
      if (sequence.hasEnded || row.tokenIds.length === 0) continue;
      const { request } = sequence;
      const { length } = sequence;
      const finishReason = request.maker.take(sequence, row, output);
      // Tokens behind a stop string have been taken off.
      const numTokens = row.tokenIds.length - (length - sequence.length);
      this.#registry.drain.generated(numTokens, now);
      this.#options.meters.tokens(sequence, numTokens, now);
      if (finishReason === undefined) continue;
      // A stop string is found here only: the backend would go on.
      this.#drop(sequence, !row.ended);
      if (request.sequences.size === 0) this.end(request, finishReason);
    }
    this.#deadlines.check();
  }

  onFailed(flight: Flight, ended: readonly SequenceId[], reason: unknown): void {
    const { meters } = this.#options;
    meters.numFailedSteps++;
    const error = new StepFailedError(flight.plan.stepId, reason);
    for (const id of ended) {
      const sequence = this.#registry.findSequence(id);
      if (sequence !== undefined) this.fail(sequence.request, 'error', error);
    }
  }

  onBroken(reason: unknown): void {
    const error = KvasirError.isInstance(reason)
      ? reason
      : new InvariantError(`the step loop broke: ${String(reason)}`);
    this.#options.onBroken(error);
    for (const running of this.requests) this.fail(running, 'error', error);
  }

  onIdle(): void {
    this.#options.onIdle();
  }

  /** @throws `InvariantError` when requests, sequences and scheduler disagree. */
  checkIntegrity(): void {
    this.#registry.checkIntegrity(this.#options.scheduler.numUnfinished);
  }

  #dropSequences(running: RunningRequest): void {
    for (const sequence of running.sequences) this.#drop(sequence, true);
  }

  #drop(sequence: Sequence, runs: boolean): void {
    if (runs) this.#options.scheduler.abort(sequence.id);
    else if (sequence.parks) sequence.request.parked.add(sequence);
    sequence.hasEnded = true;
    this.#registry.removeSequence(sequence);
  }
}

function count(transfers: readonly BlockTransfer[], op: BlockTransfer['op']): number {
  let total = 0;
  for (const transfer of transfers) if (transfer.op === op) total++;
  return total;
}
