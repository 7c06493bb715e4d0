/** What the server itself counts; read at each scrape. */
export class ServerMeters {
  /** Streams ended because their client took nothing for too long. */
  numDroppedSlow = 0;
  /** Answers whose client left before they were complete. */
  numDisconnected = 0;
  /** Times that a stream waited for its client. */
  numPauses = 0;
  /** Streams that wait for their client now. */
  numPaused = 0;
  readonly #refused = new Map<string, number>();

  /** A request was answered with an error; `code` is of the server's table, so there are few. */
  refused(code: string): void {
    this.#refused.set(code, (this.#refused.get(code) ?? 0) + 1);
  }

  get refusals(): ReadonlyMap<string, number> {
    return this.#refused;
  }
}
