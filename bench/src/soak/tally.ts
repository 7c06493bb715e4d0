/** How a request ended, as its client saw it. */
export type Outcome =
  /** Its stream came to its end mark with a finish reason and the tokens it should have. */
  | 'complete'
  /** We left before the end. */
  | 'left'
  /** It was wrong, and was refused with 400 and a message that names what. */
  | 'refused'
  /** The server was full, and said when to come back. */
  | 'busy'
  /** Anything else: an answer that was cut, an error, a wrong token. */
  | 'lost';

/** Counts outcomes by kind of request; what was lost is kept in words. */
export class Tally {
  readonly counts = new Map<string, number>();
  readonly losses: string[] = [];
  #numRequests = 0;
  #tokens = 0;

  get numRequests(): number {
    return this.#numRequests;
  }

  get tokens(): number {
    return this.#tokens;
  }

  add(kind: string, outcome: Outcome, tokens: number): void {
    this.#numRequests++;
    this.#tokens += tokens;
    const key = `${kind}: ${outcome}`;
    this.counts.set(key, (this.counts.get(key) ?? 0) + 1);
  }

  /** A request that was lost, and why. */
  lose(kind: string, why: string): void {
    this.add(kind, 'lost', 0);
    if (this.losses.length < 20) this.losses.push(`${kind}: ${why}`);
  }

  of(outcome: Outcome): number {
    return [...this.counts].reduce((sum, [key, count]) => (key.endsWith(`: ${outcome}`) ? sum + count : sum), 0);
  }
}
