import type { Engine } from '@kvasir/engine';
import type { BarStream } from './progress-bar.js';

/** What a status line reads from an engine. */
export type WatchedEngine = Pick<Engine, 'observe' | 'numUnfinished' | 'stats'>;

/** Time and timer, injected by tests. */
export interface StatusLineClock {
  now(): number;
  /** Calls `tick` each `ms` until what it returns is called. Must not keep the process alive. */
  every(ms: number, tick: () => void): () => void;
}

const systemTimer: StatusLineClock = {
  now: () => performance.now(),
  every: (ms, tick) => {
    const timer = setInterval(tick, ms).unref();
    return () => clearInterval(timer);
  },
};

/** Tokens of prompts, counted since the start. */
interface PrefixCounts {
  readonly queried: number;
  readonly hit: number;
}

const REDRAW_MS = 1000;
/** Prefix hits are of this many redraws: one second sees too few prompts. */
const HIT_WINDOW = 10;
const CLEAR = '\r\u001b[2K';

/**
 * One line at the bottom of a terminal that says what an engine does, redrawn once a second while requests run.
 * The first step starts its timer; a tick that finds no request clears the line and ends the timer, so that an idle engine wakes nobody.
 */
export class StatusLine {
  readonly #engine: WatchedEngine;
  readonly #target: BarStream;
  readonly #clock: StatusLineClock;
  readonly #stopObserving: () => void;
  #stopTimer: (() => void) | undefined;
  #shown = '';
  #isClosed = false;
  #computedTokens = 0;
  #last = { ms: 0, computedTokens: 0, generatedTokens: 0, prefix: { queried: 0, hit: 0 } };
  /** What had been looked up and found at the last redraws, oldest first. */
  #prefixes: PrefixCounts[] = [];

  constructor(engine: WatchedEngine, target: BarStream, clock: StatusLineClock = systemTimer) {
    this.#engine = engine;
    this.#target = target;
    this.#clock = clock;
    this.#stopObserving = engine.observe({
      onStep: ({ numTokens }) => {
        if (this.#stopTimer === undefined) this.#start();
        this.#computedTokens += numTokens;
      },
    });
  }

  /** Whether its timer runs. */
  get isRunning(): boolean {
    return this.#stopTimer !== undefined;
  }

  /** The terminal for everything else that is written there: text goes above the line. */
  get stream(): BarStream {
    const { isTTY, columns } = this.#target;
    return {
      ...(isTTY === undefined ? {} : { isTTY }),
      ...(columns === undefined ? {} : { columns }),
      write: (text) => this.#target.write(this.#shown === '' ? text : `${CLEAR}${text}${this.#shown}`),
    };
  }

  /** Clears the line for good. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#stopObserving();
    this.#stop();
  }

  #start(): void {
    this.#last = this.#measure();
    this.#prefixes = [this.#last.prefix];
    this.#stopTimer = this.#clock.every(REDRAW_MS, () => this.#tick());
  }

  #stop(): void {
    this.#stopTimer?.();
    this.#stopTimer = undefined;
    if (this.#shown !== '') this.#target.write(CLEAR);
    this.#shown = '';
  }

  #tick(): void {
    if (this.#engine.numUnfinished === 0) {
      this.#stop();
      return;
    }
    const now = this.#measure();
    const seconds = (now.ms - this.#last.ms) / 1000;
    const generated = now.generatedTokens - this.#last.generatedTokens;
    const prompt = Math.max(0, now.computedTokens - this.#last.computedTokens - generated);
    this.#last = now;
    this.#prefixes.push(now.prefix);
    if (this.#prefixes.length > HIT_WINDOW + 1) this.#prefixes.shift();
    // A line that wraps could not be cleared. A terminal that does not know its width says 0.
    this.#shown = this.#text(prompt / seconds, generated / seconds).slice(0, (this.#target.columns || 80) - 1);
    this.#target.write(CLEAR + this.#shown);
  }

  #text(promptRate: number, generationRate: number): string {
    const { numRunning, numWaiting, kvCacheUsage } = this.#engine.stats();
    return [
      `${numRunning} running, ${numWaiting} waiting`,
      `in ${promptRate.toFixed(0)} tok/s, out ${generationRate.toFixed(0)} tok/s`,
      `KV ${percent(kvCacheUsage)}`,
      `prefix hits ${this.#recentHits()}`,
    ].join(' | ');
  }

  /** Share of the tokens looked up lately that were found. */
  #recentHits(): string {
    const [oldest = this.#last.prefix] = this.#prefixes;
    const queried = this.#last.prefix.queried - oldest.queried;
    return queried === 0 ? '-' : percent((this.#last.prefix.hit - oldest.hit) / queried);
  }

  #measure() {
    const { generationTokens, prefixQueriedTokens, prefixHitTokens } = this.#engine.stats();
    return {
      ms: this.#clock.now(),
      computedTokens: this.#computedTokens,
      generatedTokens: generationTokens,
      prefix: { queried: prefixQueriedTokens, hit: prefixHitTokens },
    };
  }
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)}%`;
}
