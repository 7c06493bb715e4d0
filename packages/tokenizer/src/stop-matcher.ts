import { InvalidArgumentError, InvariantError } from '@kvasir/interfaces';

/** Options of {@link StopMatcher}. */
export interface StopMatcherOptions {
  /** Emit the stop string that ended the text too. Default `false`. */
  readonly includeStop?: boolean;
}

/** What {@link StopMatcher.push} made certain. */
export interface StopMatch {
  /** Text that can be shown now. */
  readonly text: string;
  /** The stop string that ended the text; `undefined` while it goes on. */
  readonly stop: string | undefined;
}

const ROOT = 0;

/**
 * Finds stop strings in text that arrives in pieces, whatever their borders (Aho and Corasick, 1975).
 *
 * The text ends at the first position where some stop string is complete; if several end there, the longest counts.
 * Only text that may still become a stop string is held back: never more than the longest stop less one code unit.
 * O(1) amortised a UTF-16 code unit, however many stop strings there are.
 */
export class StopMatcher {
  readonly #includeStop: boolean;
  /** `state * 65536 + code unit` to the state one longer. */
  readonly #next = new Map<number, number>();
  /** State of the longest proper suffix that is a prefix of some stop string. */
  readonly #fallback: number[] = [ROOT];
  /** Longest stop string that ends in the state. */
  readonly #stops: (string | undefined)[] = [undefined];
  /** Length of the prefix that the state stands for. */
  readonly #depths: number[] = [0];
  #state = ROOT;
  #held = '';
  #stop: string | undefined;

  /** @throws `InvalidArgumentError` If a stop string is empty. */
  constructor(stops: readonly string[], options: StopMatcherOptions = {}) {
    this.#includeStop = options.includeStop ?? false;
    for (const stop of stops) this.#add(stop);
    this.#link();
  }

  /** Longest text that can ever be held back, in UTF-16 code units. */
  get maxHeld(): number {
    return Math.max(0, ...this.#depths.slice(1).map((depth) => depth - 1));
  }

  /**
   * Takes the next piece. After a stop string was found it returns the empty text and that stop string.
   */
  push(text: string): StopMatch {
    if (this.#stop !== undefined) return { text: '', stop: this.#stop };
    if (this.#depths.length === 1) return { text, stop: undefined };
    for (let i = 0; i < text.length; i++) {
      this.#state = this.#step(text.charCodeAt(i));
      const stop = this.#stops[this.#state];
      if (stop === undefined) continue;
      const seen = this.#held + text.slice(0, i + 1);
      this.#stop = stop;
      this.#held = '';
      return { text: this.#includeStop ? seen : seen.slice(0, seen.length - stop.length), stop };
    }
    const seen = this.#held + text;
    const certain = seen.length - this.#depths[this.#state]!;
    this.#held = seen.slice(certain);
    return { text: seen.slice(0, certain), stop: undefined };
  }

  /** The text held back, when no more will come; empty after a stop string was found. The matcher starts afresh. */
  flush(): string {
    const held = this.#held;
    this.#held = '';
    this.#state = ROOT;
    this.#stop = undefined;
    return held;
  }

  /** Checks that what is held back is exactly the prefix that the state stands for. */
  checkIntegrity(): void {
    let state = ROOT;
    for (let i = 0; i < this.#held.length; i++) state = this.#next.get(state * 65536 + this.#held.charCodeAt(i)) ?? -1;
    if (this.#stop === undefined && state !== this.#state) {
      throw new InvariantError('held text is not what the matcher stands for', {
        held: this.#held,
        state: this.#state,
      });
    }
  }

  #step(unit: number): number {
    for (let state = this.#state; ; state = this.#fallback[state]!) {
      const next = this.#next.get(state * 65536 + unit);
      if (next !== undefined) return next;
      if (state === ROOT) return ROOT;
    }
  }

  #add(stop: string): void {
    if (stop.length === 0)
      throw new InvalidArgumentError('stop', 'a stop string is empty; leave it out or give it text');
    let state = ROOT;
    for (let i = 0; i < stop.length; i++) {
      const key = state * 65536 + stop.charCodeAt(i);
      let next = this.#next.get(key);
      if (next === undefined) {
        next = this.#depths.push(i + 1) - 1;
        this.#fallback.push(ROOT);
        this.#stops.push(undefined);
        this.#next.set(key, next);
      }
      state = next;
    }
    this.#stops[state] = stop;
  }

  #link(): void {
    const byDepth = [...this.#next].sort(([, a], [, b]) => this.#depths[a]! - this.#depths[b]!);
    for (const [key, state] of byDepth) {
      const parent = Math.floor(key / 65536);
      if (parent !== ROOT) {
        this.#state = this.#fallback[parent]!;
        this.#fallback[state] = this.#step(key % 65536);
      }
      this.#stops[state] ??= this.#stops[this.#fallback[state]!];
    }
    this.#state = ROOT;
  }
}
