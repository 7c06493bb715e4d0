import type { Engine, RequestRecord, StepRecord } from '@kvasir/engine';

/** What a trace reads from an engine. */
export type TracedEngine = Pick<Engine, 'observe'> & {
  stats(): Pick<ReturnType<Engine['stats']>, 'numRequests' | 'finished'>;
};

/**
 * Writes one JSON line a step, and a summary at the end.
 *
 * ```
 * submitted        result      submitted          result
 *     |--- elapsed_ms ---|- between_ms -|--- elapsed_ms ---|
 *         compute_ms: what of it the backend computed
 * ```
 * `between_ms` is the time from the last result to the submission: 0 when steps overlap, `null` when the engine had nothing to run
 * in between. Lines are written after the next submission, so that writing them is no part of what they measure.
 */
export class StepTrace {
  readonly #engine: TracedEngine;
  readonly #write: (line: string) => void;
  readonly #now: () => number;
  readonly #stopObserving: () => void;
  readonly #pending: string[] = [];
  readonly #sums = { steps: 0, tokens: 0, computeMs: 0, betweenMs: 0, busyMs: 0 };
  #flushing: NodeJS.Immediate | undefined;
  /** Of the last step; `undefined` when the engine has been idle since. */
  #lastResultMs: number | undefined;
  #isClosed = false;

  constructor(engine: TracedEngine, write: (line: string) => void, now: () => number = () => performance.now()) {
    this.#engine = engine;
    this.#write = write;
    this.#now = now;
    this.#stopObserving = engine.observe({
      onStep: (record) => this.#onStep(record),
      onFinish: (record) => this.#onFinish(record),
    });
  }

  /** Stops, writes what is left, and the summary. Later calls do nothing. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#stopObserving();
    this.#flush();
    const { steps, tokens, computeMs, betweenMs, busyMs } = this.#sums;
    const share = (ms: number) => (busyMs === 0 ? 0 : rounded(ms / busyMs, 4));
    const summary = {
      summary: 'steps',
      steps,
      tokens,
      busy_ms: rounded(busyMs, 3),
      compute_ms: rounded(computeMs, 3),
      between_ms: rounded(betweenMs, 3),
      between_share: share(betweenMs),
      outside_compute_share: share(Math.max(0, busyMs - computeMs)),
    };
    this.#write(`${JSON.stringify(summary)}\n`);
  }

  #onStep(record: StepRecord): void {
    const resultMs = this.#now();
    const submittedMs = resultMs - record.elapsedMs;
    const previous = this.#lastResultMs;
    const betweenMs = previous === undefined ? undefined : Math.max(0, submittedMs - previous);
    const sums = this.#sums;
    sums.steps++;
    sums.tokens += record.numTokens;
    sums.computeMs += record.computeMs;
    sums.betweenMs += betweenMs ?? 0;
    sums.busyMs += resultMs - (previous ?? submittedMs);
    this.#lastResultMs = resultMs;
    const line = {
      step: record.stepId,
      rows: record.numRows,
      tokens: record.numTokens,
      outputs: record.numOutputs,
      compute_ms: rounded(record.computeMs, 3),
      elapsed_ms: rounded(record.elapsedMs, 3),
      between_ms: betweenMs === undefined ? null : rounded(betweenMs, 3),
    };
    this.#pending.push(`${JSON.stringify(line)}\n`);
    this.#flushing ??= setImmediate(() => this.#flush());
  }

  /** After the last request's end there is nothing to run; a failed step has no record to measure from. */
  #onFinish({ finishReason }: Pick<RequestRecord, 'finishReason'>): void {
    const { numRequests, finished } = this.#engine.stats();
    const numFinished = finished.stop + finished.length + finished.abort + finished.error;
    if (numFinished === numRequests || finishReason === 'error') this.#lastResultMs = undefined;
  }

  #flush(): void {
    if (this.#flushing !== undefined) clearImmediate(this.#flushing);
    this.#flushing = undefined;
    if (this.#pending.length > 0) this.#write(this.#pending.splice(0).join(''));
  }
}

function rounded(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
