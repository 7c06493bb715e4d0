/** Observers of one source; one that throws is dropped with a process warning. */
export class ObserverSet<T> {
  readonly #observers = new Set<T>();
  readonly #source: string;

  /** @param source - What they observe, for the warning. */
  constructor(source: string) {
    this.#source = source;
  }

  /** @returns Takes it off again. */
  add(observer: T): () => void {
    this.#observers.add(observer);
    return () => this.#observers.delete(observer);
  }

  tell(call: (observer: T) => void): void {
    for (const observer of this.#observers) {
      try {
        call(observer);
      } catch (error) {
        this.#observers.delete(observer);
        process.emitWarning(`an observer of the ${this.#source} threw and is dropped: ${String(error)}`);
      }
    }
  }
}
