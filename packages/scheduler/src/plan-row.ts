import type { PlanRecord } from './plan-ring.js';
import type { ScheduledSequence } from './scheduled-sequence.js';

/** Adds a row of `numKnown` tokens and `drafts`, for which blocks are reserved, and moves the sequence on. */
export function addRow(
  plan: PlanRecord,
  sequence: ScheduledSequence,
  numKnown: number,
  drafts: readonly number[],
): void {
  const row = plan.addRow();
  const numQuery = numKnown + drafts.length;
  row.state = sequence;
  row.sequence = sequence.id;
  row.slot = sequence.slot;
  row.starts = sequence.needsStart;
  row.numCachedTokens = sequence.needsStart ? sequence.numCached : 0;
  row.start = sequence.numPlanned;
  row.numQuery = numQuery;
  row.drafts = drafts;
  row.samples = numKnown === sequence.numUnplanned;
  plan.numTokens += numQuery;
  plan.numOutputs += sequence.numOutputs(row.start, numKnown) + drafts.length;
  if (numQuery === 1) plan.decodeContext += row.start + 1;
  else plan.prefillPairs += numQuery * (row.start + (numQuery + 1) / 2);
  if (sequence.isDecoding) plan.hasDecodes = true;
  sequence.needsStart = false;
  sequence.numPlanned += numQuery;
  sequence.numInFlight++;
  const numBeyond = row.start + numKnown - sequence.numServed;
  if (numBeyond > 0) {
    sequence.numServed += numBeyond;
    sequence.tenant.serve(numBeyond);
  }
  if (row.samples) sequence.numPlaceholders++;
  if (drafts.length > 0) sequence.hasDraftsInFlight = true;
}
