import type { StepPlan } from '@kvasir/interfaces';

/** What a step's time depends on. */
export interface StepShape {
  readonly numTokens: number;
  readonly numRows: number;
  readonly numOutputs: number;
  /** Cached tokens that rows of one token look back on, themselves included, summed. */
  readonly decodeContext: number;
  /** Pairs of query and key of rows with more than one token. */
  readonly prefillPairs: number;
}

/** Time of one step in milliseconds. */
export type StepTime = (shape: StepShape) => number;

/** Shape of a planned step. */
export function shapeOfPlan({ rows, numTokens, numOutputs }: StepPlan): StepShape {
  let decodeContext = 0;
  let prefillPairs = 0;
  for (const { start, numQuery } of rows) {
    if (numQuery === 1) decodeContext += start + 1;
    else prefillPairs += numQuery * start + (numQuery * (numQuery + 1)) / 2;
  }
  return { numTokens, numRows: rows.length, numOutputs, decodeContext, prefillPairs };
}
