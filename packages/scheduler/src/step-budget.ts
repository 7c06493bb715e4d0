/** What is left of a step. Rows that were counted in first have one token and one output each; the rest is spare. */
export class StepBudget {
  spareTokens = 0;
  spareOutputs = 0;
  readonly #maxTokens: number;
  readonly #maxOutputs: number;

  constructor(maxTokens: number, maxOutputs: number) {
    this.#maxTokens = maxTokens;
    this.#maxOutputs = maxOutputs;
  }

  /** Starts a step in which `numRows` rows are sure of their token, whoever else wants more. */
  start(numRows: number): void {
    this.spareTokens = this.#maxTokens - numRows;
    this.spareOutputs = this.#maxOutputs - numRows;
  }

  spend(numTokens: number, numOutputs: number): void {
    this.spareTokens -= numTokens;
    this.spareOutputs -= numOutputs;
  }

  /** What was kept for `numRows` rows is spare. */
  refund(numRows: number): void {
    this.spareTokens += numRows;
    this.spareOutputs += numRows;
  }
}
