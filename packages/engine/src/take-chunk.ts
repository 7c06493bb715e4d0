import { END_REASON, type FinishReason, type PositionLogprobs } from '@kvasir/interfaces';
import type { Sequence } from './sequence.js';
import type { SequenceText } from './sequence-text.js';
import type { RowOutput, StepOutput } from './step-output.js';

/** What a step adds to one choice. */
export interface ChoiceChunk {
  readonly text: string;
  readonly tokenIds: readonly number[];
  readonly logprobs?: readonly PositionLogprobs[] | undefined;
  readonly finishReason?: FinishReason | undefined;
  readonly stopReason?: string | number | undefined;
}

/**
 * Turns the tokens that a row brought into text, log-probabilities, and the end if it is one.
 * Tokens after the one that completed a stop string are taken off the sequence again.
 */
export function takeChunk(sequence: Sequence, text: SequenceText, row: RowOutput, output: StepOutput): ChoiceChunk {
  const taken = takeText(text, row);
  sequence.length -= row.tokenIds.length - taken.numKept;
  return {
    text: taken.text,
    tokenIds: row.tokenIds.slice(0, taken.numKept),
    logprobs: sequence.sampling.logprobs === undefined ? undefined : output.tokenLogprobs(row).slice(0, taken.numKept),
    finishReason: finishReasonOf(text, row),
    stopReason: text.stop ?? (row.endReason === END_REASON.stopToken ? row.tokenIds.at(-1) : undefined),
  };
}

function takeText(sequence: SequenceText, row: RowOutput): { readonly text: string; readonly numKept: number } {
  const numTokens = row.tokenIds.length;
  let text = '';
  let numKept = 0;
  while (numKept < numTokens && sequence.stop === undefined) {
    const id = row.tokenIds[numKept++]!;
    const isMarker = numKept === numTokens && row.ended && row.endReason !== END_REASON.length;
    text += isMarker ? sequence.pushMarker(id) : sequence.push(id);
  }
  if (row.ended) text += sequence.flush();
  return { text, numKept };
}

function finishReasonOf(text: SequenceText, row: RowOutput): FinishReason | undefined {
  if (text.stop !== undefined) return 'stop';
  if (!row.ended) return undefined;
  return row.endReason === END_REASON.length ? 'length' : 'stop';
}
