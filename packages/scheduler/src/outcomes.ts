import { InvalidArgumentError, type RowOutcome } from '@kvasir/interfaces';
import type { PlanRecord, RowRecord } from './plan-ring.js';

/** @throws `InvalidArgumentError` for outcomes that cannot have come from `plan`. */
export function checkOutcomes(plan: PlanRecord, outcomes: readonly RowOutcome[]): void {
  if (outcomes.length !== plan.rows.length) {
    throw new InvalidArgumentError(
      'outcomes',
      `${outcomes.length} outcomes for the ${plan.rows.length} rows of step ${plan.stepId}: expected one a row, in the same order`,
    );
  }
  for (let i = 0; i < outcomes.length; i++) {
    const row = plan.rows[i] as RowRecord;
    if (row.state.status === 'running') checkOutcome(row, outcomes[i] as RowOutcome, i);
  }
}

function checkOutcome(row: RowRecord, { tokenIds, numAccepted, ended }: RowOutcome, index: number): void {
  const numTokens = tokenIds.length;
  const { length, spec } = row.state;
  const max = row.samples ? Math.min(numAccepted + 1, spec.maxLength - length) : 0;
  const min = row.samples && !ended ? 1 : 0;
  if (numTokens < min || numTokens > max) {
    throw new InvalidArgumentError(
      'outcomes',
      `row ${index} of sequence ${row.sequence} brought ${numTokens} tokens: expected ${min} to ${max} (${row.samples ? `${numAccepted} drafts accepted, ${length} of ${spec.maxLength} tokens known` : 'it does not sample'})`,
    );
  }
  if (numAccepted < 0 || numAccepted > row.drafts.length) {
    throw new InvalidArgumentError(
      'outcomes',
      `row ${index} of sequence ${row.sequence} accepted ${numAccepted} drafts: expected 0 to ${row.drafts.length}`,
    );
  }
}
