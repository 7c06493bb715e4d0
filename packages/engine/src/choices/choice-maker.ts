import type { FinishReason } from '@kvasir/interfaces';
import type { RunningRequest } from '../requests/running-request.js';
import type { Sequence, SequenceStart } from '../sequence.js';
import type { RowOutput, StepOutput } from '../step-output.js';

/** What a {@link ChoiceMaker} may ask of the engine for its request. */
export interface SequenceStarter {
  /** Queues a sequence of the request. */
  start(request: RunningRequest, start: SequenceStart): Sequence;
  /** Gives up the blocks that an ended sequence keeps for its forks; those already queued get them. */
  unpark(sequence: Sequence): void;
}

/** Makes the choices of one request out of sequences: one each, the best of several, or beams. */
export interface ChoiceMaker {
  /** Starts the first sequences. Called once. */
  begin(): void;
  /**
   * Takes what a row brought to a live sequence of the request, and pushes to the stream what becomes certain.
   * @returns Why the sequence is over, if it is; its maker may have started others. The last one's reason is the request's.
   */
  take(sequence: Sequence, row: RowOutput, output: StepOutput): FinishReason | undefined;
}
