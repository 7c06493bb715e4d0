import type { PositionLogprobs, SamplingParams, SequenceId } from '@kvasir/interfaces';
import type { RunningRequest } from './requests/running-request.js';

/** What a sequence begins with. */
export interface SequenceStart {
  /** Choice that it belongs to, or its place among the beams. */
  readonly index: number;
  readonly promptTokenIds: Int32Array;
  /** Its own: the seed is the choice's, and log-probabilities are what its maker needs. */
  readonly sampling: SamplingParams;
  /** It is over at this many tokens. */
  readonly maxLength: number;
  /** A sequence whose blocks it begins with. */
  readonly forkOf?: SequenceId;
  /** Its blocks stay when it ends, for its forks. */
  readonly parks?: boolean;
}

const MIN_ROOM = 64;

/** One token sequence of the scheduler: a choice of a request, or a step of a beam. */
export class Sequence {
  readonly id: SequenceId;
  readonly request: RunningRequest;
  readonly index: number;
  readonly sampling: SamplingParams;
  readonly promptLength: number;
  readonly maxLength: number;
  /** Whether the scheduler keeps its blocks when it ends. */
  parks: boolean;
  /** Collected until the prompt is complete; entry 0 is `undefined`. */
  readonly promptLogprobs: (PositionLogprobs | undefined)[] = [undefined];
  /** Prompt and output; `[0, length)` is in use, the rest is room to grow. */
  tokens: Int32Array;
  length: number;
  lastTokenMs: number | undefined;
  /** Tokens that steps made so far compute or have computed; after a preemption it starts anew. */
  numPlanned = 0;
  hasEnded = false;

  constructor(id: SequenceId, request: RunningRequest, start: SequenceStart) {
    const { promptTokenIds } = start;
    this.id = id;
    this.request = request;
    this.index = start.index;
    this.sampling = start.sampling;
    this.promptLength = promptTokenIds.length;
    this.maxLength = start.maxLength;
    this.parks = start.parks ?? false;
    this.tokens = promptTokenIds;
    this.length = promptTokenIds.length;
  }

  /** Prompt positions whose log-probability is still to be asked for, from this position on. */
  get firstMissingPromptLogprob(): number {
    return this.sampling.promptLogprobs === undefined ? this.promptLength : this.promptLogprobs.length - 1;
  }

  append(tokenId: number): void {
    if (this.length === this.tokens.length) this.#grow();
    this.tokens[this.length++] = tokenId;
  }

  /** The prompt's own array is never written to. */
  #grow(): void {
    const grown = new Int32Array(Math.min(this.maxLength, Math.max(2 * this.length, MIN_ROOM)));
    grown.set(this.tokens.subarray(0, this.length));
    this.tokens = grown;
  }
}
