interface StepOps {
  stepId: number;
  /** `2 * slot + (in use ? 1 : 0)`, in order. */
  readonly ops: number[];
}

/** Which slots of the session are in use, also when steps that started or released them fail. */
export class SlotLedger {
  /** As the session has confirmed it. */
  readonly #confirmed: Uint8Array;
  /** As it will be when every outstanding step succeeds. */
  readonly #expected: Uint8Array;
  readonly #outstanding: StepOps[] = [];
  readonly #spare: StepOps[] = [];

  constructor(maxSlots: number) {
    this.#confirmed = new Uint8Array(maxSlots);
    this.#expected = new Uint8Array(maxSlots);
  }

  isInUse(slot: number): boolean {
    return this.#expected[slot] === 1;
  }

  /** Opens the step that later notes belong to. */
  begin(stepId: number): void {
    const step = this.#spare.pop() ?? { stepId, ops: [] };
    step.stepId = stepId;
    step.ops.length = 0;
    this.#outstanding.push(step);
  }

  /** The step in the making starts or releases a slot. */
  note(slot: number, inUse: boolean): void {
    this.#outstanding.at(-1)?.ops.push(2 * slot + (inUse ? 1 : 0));
    this.#expected[slot] = inUse ? 1 : 0;
  }

  /** A step was run. */
  confirm(stepId: number): void {
    const step = this.#take(stepId);
    if (step !== undefined) apply(step, this.#confirmed);
  }

  /** A step was not run. */
  drop(stepId: number): void {
    if (this.#take(stepId) === undefined) return;
    this.#expected.set(this.#confirmed);
    for (const step of this.#outstanding) apply(step, this.#expected);
  }

  #take(stepId: number): StepOps | undefined {
    const index = this.#outstanding.findIndex((step) => step.stepId === stepId);
    if (index < 0) return undefined;
    const [step] = this.#outstanding.splice(index, 1);
    if (step !== undefined) this.#spare.push(step);
    return step;
  }
}

function apply(step: StepOps, slots: Uint8Array): void {
  for (const op of step.ops) slots[op >> 1] = op & 1;
}
