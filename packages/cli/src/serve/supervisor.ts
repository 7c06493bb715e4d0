import { constants } from 'node:os';
import { CUT_OFF_EXIT } from '../commands/shutdown.js';

/** How a process ended: one of the two is `null`. */
export interface ProcessEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A server in a process of its own. */
export interface ServerProcess {
  readonly pid: number | undefined;
  /** Whether it has listened. */
  readonly wasReady: boolean;
  readonly ended: Promise<ProcessEnd>;
  kill(signal: NodeJS.Signals): void;
}

/** A server that crashed and is started again. */
export interface Crash extends ProcessEnd {
  readonly pid: number | undefined;
  /** 1 for the first restart of the window. */
  readonly restart: number;
  readonly maxRestarts: number;
  readonly delayMs: number;
}

/** What a {@link Supervisor} needs; tests pass their own. */
export interface SupervisorOptions {
  start(): ServerProcess;
  onCrash(crash: Crash): void;
  /** It crashed once more than allowed, and stays ended. */
  onGivenUp(end: ProcessEnd & { readonly numRestarts: number; readonly windowMs: number }): void;
  /** Restarts within `windowMs`. */
  readonly maxRestarts: number;
  readonly windowMs?: number;
  /** Monotonic milliseconds. */
  now?(): number;
  /** Resolves after `ms`, or early when `signal` aborts. */
  sleep?(ms: number, signal: AbortSignal): Promise<void>;
}

const WINDOW_MS = 300_000;
const FIRST_DELAY_MS = 250;
const MAX_DELAY_MS = 30_000;
/** Codes of a server that was asked to end, or that could not understand its command line. */
const EXPECTED_CODES: readonly number[] = [0, 2, CUT_OFF_EXIT, 130, 143];
/** Signals that ask a process to end; one that has no handler yet ends by them. */
const EXPECTED_SIGNALS: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/**
 * Keeps a server running: starts it again, after a pause that doubles, when a signal or an unexpected exit code ends it.
 *
 * | end of the server | what follows |
 * |---|---|
 * | asked for, or an expected code | the end, with its code |
 * | a non-zero code before any start went well | the end, with its code: a start error stays one |
 * | anything else | a restart; the end, with its code, beyond `maxRestarts` within the window |
 */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #stop = new AbortController();
  #child: ServerProcess | undefined;
  #restarts: number[] = [];
  #hasEverStarted = false;

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  /** Passes a signal on. One that asks for the end also keeps the server from being started again. */
  signal(signal: NodeJS.Signals): void {
    if (signal === 'SIGINT' || signal === 'SIGTERM') this.#stop.abort();
    this.#child?.kill(signal);
  }

  /** @returns The exit code. */
  async run(): Promise<number> {
    for (;;) {
      const child = this.#options.start();
      this.#child = child;
      const end = await child.ended;
      this.#child = undefined;
      this.#hasEverStarted ||= child.wasReady;
      if (!this.#isCrash(end)) return exitCodeOf(end);
      if (!this.#mayRestart()) {
        const { windowMs = WINDOW_MS } = this.#options;
        this.#options.onGivenUp({ ...end, numRestarts: this.#restarts.length, windowMs });
        return exitCodeOf(end);
      }
      await this.#restartLater(child.pid, end);
      // Asked to end while nothing ran.
      if (this.#stop.signal.aborted) return 0;
    }
  }

  #isCrash({ code, signal }: ProcessEnd): boolean {
    if (this.#stop.signal.aborted) return false;
    if (signal !== null) return !EXPECTED_SIGNALS.includes(signal);
    return this.#hasEverStarted && !EXPECTED_CODES.includes(code as number);
  }

  #mayRestart(): boolean {
    const { maxRestarts, windowMs = WINDOW_MS } = this.#options;
    const since = this.#now() - windowMs;
    this.#restarts = this.#restarts.filter((at) => at > since);
    return this.#restarts.length < maxRestarts;
  }

  async #restartLater(pid: number | undefined, end: ProcessEnd): Promise<void> {
    const { maxRestarts, onCrash, sleep = sleepFor } = this.#options;
    const delayMs = Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** this.#restarts.length);
    this.#restarts.push(this.#now());
    onCrash({ ...end, pid, restart: this.#restarts.length, maxRestarts, delayMs });
    await sleep(delayMs, this.#stop.signal);
  }

  #now(): number {
    return this.#options.now?.() ?? performance.now();
  }
}

/** What a shell reports of such an end. */
export function exitCodeOf({ code, signal }: ProcessEnd): number {
  return code ?? 128 + (signal === null ? 0 : constants.signals[signal]);
}

function sleepFor(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
