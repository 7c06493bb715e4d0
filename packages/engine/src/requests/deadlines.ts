import type { Clock } from '../clock.js';
import { DeadlineExceededError } from '../errors.js';
import type { PrefillPace } from './prefill-pace.js';
import type { RunningRequest } from './running-request.js';

/** The longest that a timer of the machine can sleep. */
const MAX_SLEEP_MS = 2 ** 31 - 1;

/** What a {@link Deadlines} works with. */
export interface DeadlinesOptions {
  readonly clock: Clock;
  readonly pace: PrefillPace;
  readonly onExceeded: (running: RunningRequest, error: DeadlineExceededError) => void;
}

/**
 * Ends requests whose `timeoutMs` has passed, and those that cannot have their first token before it does.
 *
 * The second is decided after a step, for requests without a token yet: what is left of the prompt, at half the least time a token
 * that recent steps took, would end after the deadline. Until a request's first step nothing is known of what the prefix cache will
 * spare it, so then only a prompt that skips the cache counts. There is a timer only while there are requests with a deadline.
 */
export class Deadlines {
  readonly #options: DeadlinesOptions;
  /** Requests with a deadline that have no token yet. */
  readonly #unanswered = new Set<RunningRequest>();

  constructor(options: DeadlinesOptions) {
    this.#options = options;
  }

  /** Follows a request until its end. One whose time had passed before it was submitted ends in the next turn. */
  watch(running: RunningRequest): void {
    const { timeoutMs } = running.request;
    if (timeoutMs === undefined) return;
    const timer = new AbortController();
    this.#unanswered.add(running);
    running.onEnd(() => {
      timer.abort();
      this.#unanswered.delete(running);
    });
    void this.#sleep(running, running.times.arrivalMs + timeoutMs, timer.signal);
  }

  /** Ends what cannot be in time any more. Called after each step. */
  check(): void {
    if (this.#unanswered.size === 0) return;
    const now = this.#options.clock.now();
    for (const running of this.#unanswered) {
      if (running.times.firstTokenMs !== undefined) this.#unanswered.delete(running);
      else this.#checkOne(running, now);
    }
  }

  async #sleep(running: RunningRequest, deadlineMs: number, signal: AbortSignal): Promise<void> {
    const { clock, onExceeded } = this.#options;
    do {
      await clock.sleep(Math.min(MAX_SLEEP_MS, Math.max(0, Math.ceil(deadlineMs - clock.now()))), signal);
      if (signal.aborted) return;
    } while (clock.now() < deadlineMs);
    onExceeded(running, new DeadlineExceededError(factsOf(running, clock.now())));
  }

  #checkOne(running: RunningRequest, now: number): void {
    const leftMs = running.times.arrivalMs + running.request.timeoutMs! - now;
    const neededTokens = numTokensToFirst(running);
    const neededMs = this.#options.pace.leastMs(neededTokens);
    if (neededMs === undefined || neededMs <= leftMs) return;
    this.#options.onExceeded(running, new DeadlineExceededError({ ...factsOf(running, now), neededMs, neededTokens }));
  }
}

/** The least that must still be computed before there is a token. */
function numTokensToFirst({ sequences, times, request }: RunningRequest): number {
  const [first] = sequences;
  if (first === undefined) return 0;
  if (times.scheduledMs === undefined) return request.sampling.promptLogprobs === undefined ? 1 : first.promptLength;
  return Math.max(0, first.promptLength - first.numPlanned);
}

function factsOf(running: RunningRequest, now: number) {
  return {
    requestId: running.id,
    timeoutMs: running.request.timeoutMs!,
    elapsedMs: now - running.times.arrivalMs,
    completionTokens: running.completionTokens,
  };
}
