import {
  END_REASON,
  OUTPUT_KIND,
  RESULT_FIELD,
  RESULT_WORDS,
  ROW_RESULT_FIELD,
  ROW_RESULT_WORDS,
  type StepResult,
} from '@kvasir/interfaces';
import { logSoftmax, rankTokens, sampleToken } from './sample-token.js';
import { appendSample, type Slot } from './slot.js';
import type { StagedRow, StagedStep } from './slot-machine.js';
import type { OutputRecord } from './step-records.js';

/** Logits after token `tokenIndex` of row `row`; a fresh array of `vocabSize`. */
export type LogitsOf = (row: number, tokenIndex: number) => Float64Array;

/**
 * Samples, verifies drafts and reports log-probabilities, and moves the staged slots on accordingly.
 * @param eosTokenIds - Ids that end a slot unless it ignores EOS.
 */
export function finishStep(
  step: StagedStep,
  logitsOf: LogitsOf,
  eosTokenIds: readonly number[],
  computeMicros: number,
): StepResult {
  const report = new ResultWriter(step);
  step.rows.forEach((row, index) => {
    const { numComputed } = row.slot;
    const numAccepted = row.skipped ? 0 : finishRow(step, row, index, logitsOf, eosTokenIds, report);
    if (!row.skipped) row.slot.numComputed = numComputed + row.tokens.length - row.drafts.length + numAccepted;
    report.row(index, row, numAccepted);
  });
  return report.result(computeMicros);
}

/** @returns Drafts accepted. */
function finishRow(
  step: StagedStep,
  row: StagedRow,
  rowIndex: number,
  logitsOf: LogitsOf,
  eosTokenIds: readonly number[],
  report: ResultWriter,
): number {
  const numKnown = row.tokens.length - row.drafts.length;
  let numAccepted = 0;
  for (const { index, record } of row.outputs) {
    const logits = () => logitsOf(rowIndex, record.tokenIndex);
    if (record.kind === OUTPUT_KIND.logprob) {
      report.output(index, record, record.targetId, logits(), END_REASON.none);
      continue;
    }
    const slot = step.slots.get(record.slot) as Slot;
    if (record.slot !== row.slotId) slot.numComputed = row.start + row.tokens.length;
    const draft = record.tokenIndex - numKnown;
    if (slot.endReason !== END_REASON.none || draft >= numAccepted) continue;
    const logitsHere = logits();
    const token = sampleToken(logitsHere, slot, eosTokenIds);
    appendSample(slot, token, eosTokenIds);
    report.output(index, record, token, logitsHere, slot.endReason);
    if (record.slot === row.slotId && row.drafts[draft + 1] === token) numAccepted++;
  }
  return numAccepted;
}

/** Fills the arrays of a {@link StepResult}; what is not written stays void. */
class ResultWriter {
  readonly #step: StagedStep;
  readonly #outputs: Int32Array;
  readonly #outputFloats: Float32Array;
  readonly #rows: Int32Array;
  readonly #topIds: Int32Array;
  readonly #topLogprobs: Float32Array;
  readonly #topOffsets: number[] = [];

  constructor(step: StagedStep) {
    const { outputs, rows } = step.records;
    let numTop = 0;
    for (const output of outputs) {
      this.#topOffsets.push(numTop);
      numTop += output.topK;
    }
    this.#step = step;
    this.#outputs = new Int32Array(outputs.length * RESULT_WORDS);
    this.#outputFloats = new Float32Array(this.#outputs.buffer);
    this.#rows = new Int32Array(rows.length * ROW_RESULT_WORDS);
    this.#topIds = new Int32Array(numTop).fill(-1);
    this.#topLogprobs = new Float32Array(numTop);
    for (let at = 0; at < this.#outputs.length; at += RESULT_WORDS) this.#outputs[at + RESULT_FIELD.tokenId] = -1;
  }

  output(index: number, record: OutputRecord, tokenId: number, logits: Float64Array, endReason: number): void {
    const at = index * RESULT_WORDS;
    this.#outputs[at + RESULT_FIELD.tokenId] = tokenId;
    this.#outputs[at + RESULT_FIELD.endReason] = endReason;
    if (!record.wantsLogprobs) return;
    const logprobs = logSoftmax(logits);
    const ranked = rankTokens(logits);
    this.#outputFloats[at + RESULT_FIELD.logprob] = logprobs[tokenId]!;
    this.#outputs[at + RESULT_FIELD.rank] = ranked.indexOf(tokenId) + 1;
    const top = this.#topOffsets[index]!;
    ranked.slice(0, record.topK).forEach((id, k) => {
      this.#topIds[top + k] = id;
      this.#topLogprobs[top + k] = logprobs[id]!;
    });
  }

  row(index: number, { skipped, slot }: StagedRow, numAccepted: number): void {
    const at = index * ROW_RESULT_WORDS;
    this.#rows[at + ROW_RESULT_FIELD.skipped] = skipped ? 1 : 0;
    this.#rows[at + ROW_RESULT_FIELD.numAccepted] = numAccepted;
    this.#rows[at + ROW_RESULT_FIELD.numComputed] = slot.numComputed;
    this.#rows[at + ROW_RESULT_FIELD.historyLength] = slot.history.length;
  }

  result(computeMicros: number): StepResult {
    return {
      stepId: this.#step.records.stepId,
      outputs: this.#outputs,
      rows: this.#rows,
      topIds: this.#topIds,
      topLogprobs: this.#topLogprobs,
      pooled: new Float32Array(0),
      computeMicros,
    };
  }
}
