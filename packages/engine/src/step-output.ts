import {
  END_REASON,
  OUTPUT_FIELD,
  OUTPUT_FLAG,
  OUTPUT_KIND,
  OUTPUT_WORDS,
  type PositionLogprobs,
  RESULT_FIELD,
  RESULT_WORDS,
  ROW_RESULT_FIELD,
  ROW_RESULT_WORDS,
  type RowOutcome,
  readSection,
  STEP_SECTION,
  type StepBatch,
  type StepResult,
  type TokenLogprob,
} from '@kvasir/interfaces';

/** What came of a row, as the scheduler and the stream want it. Reused from step to step. */
export interface RowOutput extends RowOutcome {
  readonly tokenIds: number[];
  numAccepted: number;
  ended: boolean;
  /** {@link END_REASON} of the last token. */
  endReason: number;
  /** Outputs of the row: `[firstOutput, lastOutput)` of the batch. */
  firstOutput: number;
  lastOutput: number;
}

/**
 * The engine's copy of a step's result, so that the session may reuse its buffers while the engine still streams from here.
 * Valid until the next {@link StepOutput.read}; it reads the step's batch, which must live as long.
 */
export class StepOutput {
  readonly #rows: RowOutput[] = [];
  readonly #spareRows: RowOutput[] = [];
  #batch: StepBatch = { words: new Int32Array(0), numWords: 0 };
  #outputs = new Int32Array(0);
  #topIds = new Int32Array(0);
  #topLogprobs = new Float32Array(0);
  /** First entry of each output in the top arrays. */
  #topOffsets = new Int32Array(0);
  #floats = new Float32Array(0);

  /** One entry a row of the batch. */
  get rows(): readonly RowOutput[] {
    return this.#rows;
  }

  /** Takes in a result. */
  read(batch: StepBatch, result: StepResult): void {
    const numRows = readSection(batch.words, STEP_SECTION.rows).count;
    this.#batch = batch;
    this.#copy(result);
    while (this.#rows.length < numRows) this.#rows.push(this.#spareRows.pop() ?? createRowOutput());
    while (this.#rows.length > numRows) this.#spareRows.push(this.#rows.pop() as RowOutput);
    for (let row = 0; row < numRows; row++) this.#readRow(row, result.rows);
    this.#readTokens();
  }

  /** Log-probabilities of the row's sampled tokens, in order. */
  tokenLogprobs(row: RowOutput): PositionLogprobs[] {
    return this.#collect(row, OUTPUT_KIND.sample);
  }

  /** Log-probabilities of the prompt tokens that the row reports, in order. */
  promptLogprobs(row: RowOutput): PositionLogprobs[] {
    return this.#collect(row, OUTPUT_KIND.logprob);
  }

  #copy(result: StepResult): void {
    if (this.#outputs.length < result.outputs.length) {
      this.#outputs = new Int32Array(2 * result.outputs.length);
      this.#floats = new Float32Array(this.#outputs.buffer);
      this.#topOffsets = new Int32Array(this.#outputs.length / RESULT_WORDS);
    }
    if (this.#topIds.length < result.topIds.length) {
      this.#topIds = new Int32Array(2 * result.topIds.length);
      this.#topLogprobs = new Float32Array(2 * result.topIds.length);
    }
    this.#outputs.set(result.outputs);
    this.#topIds.set(result.topIds);
    this.#topLogprobs.set(result.topLogprobs);
  }

  #readRow(index: number, words: Int32Array): void {
    const row = this.#rows[index]!;
    row.tokenIds.length = 0;
    row.numAccepted = words[index * ROW_RESULT_WORDS + ROW_RESULT_FIELD.numAccepted]!;
    row.ended = false;
    row.endReason = END_REASON.none;
    row.firstOutput = 0;
    row.lastOutput = 0;
  }

  #readTokens(): void {
    const { count } = readSection(this.#batch.words, STEP_SECTION.outputs);
    let topOffset = 0;
    for (let output = 0; output < count; output++) {
      this.#topOffsets[output] = topOffset;
      topOffset += this.#field(output, OUTPUT_FIELD.topK);
      const row = this.#rows[this.#field(output, OUTPUT_FIELD.row)]!;
      if (row.lastOutput === 0) row.firstOutput = output;
      row.lastOutput = output + 1;
      const tokenId = this.#outputs[output * RESULT_WORDS + RESULT_FIELD.tokenId]!;
      if (this.#field(output, OUTPUT_FIELD.kind) !== OUTPUT_KIND.sample || tokenId < 0) continue;
      row.tokenIds.push(tokenId);
      row.endReason = this.#outputs[output * RESULT_WORDS + RESULT_FIELD.endReason]!;
      row.ended = row.endReason !== END_REASON.none;
    }
  }

  #collect(row: RowOutput, kind: number): PositionLogprobs[] {
    const collected: PositionLogprobs[] = [];
    for (let output = row.firstOutput; output < row.lastOutput; output++) {
      const isAsked = (this.#field(output, OUTPUT_FIELD.flags) & OUTPUT_FLAG.logprobs) !== 0;
      if (isAsked && this.#field(output, OUTPUT_FIELD.kind) === kind) this.#collectOutput(output, collected);
    }
    return collected;
  }

  #collectOutput(output: number, collected: PositionLogprobs[]): void {
    const at = output * RESULT_WORDS;
    const tokenId = this.#outputs[at + RESULT_FIELD.tokenId]!;
    if (tokenId < 0) return;
    const chosen = {
      tokenId,
      logprob: this.#floats[at + RESULT_FIELD.logprob]!,
      rank: this.#outputs[at + RESULT_FIELD.rank]!,
    };
    const top: TokenLogprob[] = [];
    const first = this.#topOffsets[output]!;
    for (let k = 0; k < this.#field(output, OUTPUT_FIELD.topK); k++) {
      top.push({ tokenId: this.#topIds[first + k]!, logprob: this.#topLogprobs[first + k]!, rank: k + 1 });
    }
    collected.push({ chosen, top });
  }

  #field(output: number, field: number): number {
    const { start } = readSection(this.#batch.words, STEP_SECTION.outputs);
    return this.#batch.words[start + output * OUTPUT_WORDS + field]!;
  }
}

function createRowOutput(): RowOutput {
  return { tokenIds: [], numAccepted: 0, ended: false, endReason: END_REASON.none, firstOutput: 0, lastOutput: 0 };
}
