import type { LLM } from '@kvasir/engine';
import type { CpuSession } from '@kvasir/kernels-cpu';

/** Where the time of the steps of one run went, in milliseconds a step. */
export interface StepTimes {
  readonly numSteps: number;
  /** From one step's end to the next one's: everything. */
  readonly wallMs: number;
  /** As the backend measured it. */
  readonly computeMs: number;
  /** Wall time in which the backend had no step: JavaScript, and waking threads on either side. */
  readonly betweenMs: number;
  /** Backend time by kind of op; empty unless ops are traced. */
  readonly ops: Readonly<Record<string, number>>;
}

/** Follows the steps of one engine. Ops can be traced only with one step in flight: a trace is read between steps. */
export class StepWatch {
  readonly #session: CpuSession;
  readonly #tracesOps: boolean;
  #state: 'off' | 'starting' | 'on' = 'off';
  #numSteps = 0;
  #computeMs = 0;
  #startedAt = 0;
  #endedAt = 0;

  constructor(llm: LLM, session: CpuSession, tracesOps: boolean) {
    this.#session = session;
    this.#tracesOps = tracesOps;
    llm.engine.observe({ onStep: ({ computeMs }) => this.#onStep(computeMs) });
  }

  /** Counts from the end of the next step on. */
  start(): void {
    this.#state = 'starting';
  }

  /** Ends and reports; the engine is idle. */
  stop(): StepTimes {
    this.#state = 'off';
    const numSteps = Math.max(1, this.#numSteps);
    const wallMs = (this.#endedAt - this.#startedAt) / numSteps;
    const computeMs = this.#computeMs / numSteps;
    const entries = this.#tracesOps ? this.#session.trace() : [];
    const ops = entries.map(({ label, micros }) => [label, micros / 1000 / numSteps] as const);
    return { numSteps: this.#numSteps, wallMs, computeMs, betweenMs: wallMs - computeMs, ops: Object.fromEntries(ops) };
  }

  /** Between the result of one step and the submission of the next, so that the trace may be read. */
  #onStep(computeMs: number): void {
    const now = performance.now();
    if (this.#state === 'starting') {
      if (this.#tracesOps) this.#session.trace();
      this.#numSteps = 0;
      this.#computeMs = 0;
      this.#startedAt = now;
      this.#endedAt = now;
      this.#state = 'on';
    } else if (this.#state === 'on') {
      this.#numSteps++;
      this.#computeMs += computeMs;
      this.#endedAt = now;
    }
  }
}
