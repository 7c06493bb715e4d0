/** One call of an embedder: its inputs, and the vectors that it waits for. Settles once. */
export class EmbedCall {
  /** Token ids of each input. */
  readonly inputs: readonly Int32Array[];
  readonly arrivalMs: number;
  /** One an input, in their order. */
  readonly vectors: Promise<readonly Float32Array[]>;
  /** Inputs before this one have been taken by a batch. */
  numTaken = 0;
  readonly #done: Float32Array[] = [];
  #numDone = 0;
  #resolve!: (vectors: readonly Float32Array[]) => void;
  #reject!: (reason: unknown) => void;
  #isSettled = false;
  readonly #onSettled: (() => void)[] = [];

  constructor(inputs: readonly Int32Array[], arrivalMs: number) {
    this.inputs = inputs;
    this.arrivalMs = arrivalMs;
    this.vectors = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  get isSettled(): boolean {
    return this.#isSettled;
  }

  get numWaiting(): number {
    return this.#isSettled ? 0 : this.inputs.length - this.numTaken;
  }

  get numDone(): number {
    return this.#numDone;
  }

  /** Takes the vector of one input. @returns Whether it was the last one. */
  deliver(index: number, vector: Float32Array): boolean {
    this.#done[index] = vector;
    this.#numDone++;
    if (this.#numDone < this.inputs.length) return false;
    this.#settle();
    this.#resolve(this.#done);
    return true;
  }

  /** Ends the call without its vectors. */
  fail(reason: unknown): void {
    if (this.#isSettled) return;
    this.#settle();
    this.#reject(reason);
  }

  /** Calls `listener` when the call ends, however it does. */
  onSettled(listener: () => void): void {
    this.#onSettled.push(listener);
  }

  #settle(): void {
    this.#isSettled = true;
    for (const listener of this.#onSettled) listener();
  }
}
