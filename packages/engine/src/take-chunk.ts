import { END_REASON, type FinishReason } from '@kvasir/interfaces';
import type { OutputChunk } from './output-stream.js';
import type { Sequence } from './sequence.js';
import type { RowOutput, StepOutput } from './step-output.js';

/**
 * Turns the tokens that a row brought into what the consumer gets: text, log-probabilities, and the end if it is one.
 * Tokens after the one that completed a stop string are taken off the sequence again.
 */
export function takeChunk(sequence: Sequence, row: RowOutput, output: StepOutput): OutputChunk {
  const { text, numKept } = takeText(sequence, row);
  sequence.length -= row.tokenIds.length - numKept;
  const { sampling } = sequence.request;
  const isFirst = sequence.times.firstTokenMs === undefined;
  return {
    text,
    tokenIds: row.tokenIds.slice(0, numKept),
    logprobs: sampling.logprobs === undefined ? undefined : output.tokenLogprobs(row).slice(0, numKept),
    promptLogprobs: isFirst && sampling.promptLogprobs !== undefined ? sequence.promptLogprobs : undefined,
    finishReason: finishReasonOf(sequence, row),
    stopReason: sequence.text.stop ?? (row.endReason === END_REASON.stopToken ? row.tokenIds.at(-1) : undefined),
    usage: sequence.usage(),
  };
}

function takeText(sequence: Sequence, row: RowOutput): { readonly text: string; readonly numKept: number } {
  const numTokens = row.tokenIds.length;
  let text = '';
  let numKept = 0;
  while (numKept < numTokens && sequence.text.stop === undefined) {
    const id = row.tokenIds[numKept++]!;
    // A token that ends the sequence by being what it is leaves no text.
    const isMarker = numKept === numTokens && row.ended && row.endReason !== END_REASON.length;
    if (!isMarker) text += sequence.text.push(id);
  }
  if (row.ended) text += sequence.text.flush();
  return { text, numKept };
}

function finishReasonOf(sequence: Sequence, row: RowOutput): FinishReason | undefined {
  if (sequence.text.stop !== undefined) return 'stop';
  if (!row.ended) return undefined;
  return row.endReason === END_REASON.length ? 'length' : 'stop';
}
