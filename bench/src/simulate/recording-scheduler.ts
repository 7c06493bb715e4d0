import type { RowOutcome, Scheduler, SequenceId, SequenceSpec, StepPlan } from '@kvasir/interfaces';
import { type StepSample, type StepShape, shapeOfPlan } from '@kvasir/scheduler/simulate';

/**
 * A scheduler that writes down each step: its shape, and the time from planning it to planning the next one, with all
 * that JavaScript does in between. Steps that nothing follows at once are left out.
 */
export class RecordingScheduler implements Scheduler {
  readonly samples: StepSample[] = [];
  readonly #inner: Scheduler;
  #last: { readonly shape: StepShape; readonly atMs: number } | undefined;

  constructor(inner: Scheduler) {
    this.#inner = inner;
  }

  get numUnfinished(): number {
    return this.#inner.numUnfinished;
  }

  schedule(): StepPlan | null {
    const atMs = performance.now();
    const plan = this.#inner.schedule();
    if (this.#last !== undefined && plan !== null) {
      this.samples.push({ shape: this.#last.shape, ms: atMs - this.#last.atMs });
    }
    this.#last = plan === null ? undefined : { shape: shapeOfPlan(plan), atMs };
    return plan;
  }

  add(sequence: SequenceSpec): void {
    this.#inner.add(sequence);
  }

  abort(sequence: SequenceId): boolean {
    return this.#inner.abort(sequence);
  }

  unpark(sequence: SequenceId): boolean {
    return this.#inner.unpark(sequence);
  }

  offerDrafts(sequence: SequenceId, tokenIds: readonly number[]): void {
    this.#inner.offerDrafts(sequence, tokenIds);
  }

  commit(plan: StepPlan, outcomes: readonly RowOutcome[], stepMs?: number): void {
    this.#inner.commit(plan, outcomes, stepMs);
  }

  discard(plan: StepPlan): readonly SequenceId[] {
    return this.#inner.discard(plan);
  }

  stats(): ReturnType<Scheduler['stats']> {
    return this.#inner.stats();
  }

  checkIntegrity(): void {
    this.#inner.checkIntegrity();
  }
}
