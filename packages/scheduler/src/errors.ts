import { KvasirError, type SequenceId } from '@kvasir/interfaces';

/** A sequence could not run even alone. Nothing has changed. */
export class SequenceTooLongError extends KvasirError {
  /** The id as it was given. */
  readonly sequence: SequenceId;
  /** Tokens that it could grow to. */
  readonly maxLength: number;
  /** Tokens that there would be room for. */
  readonly limit: number;

  constructor(sequence: SequenceId, maxLength: number, limit: number, why: string) {
    super(
      'ERR_SEQUENCE_TOO_LONG',
      `sequence ${sequence} may grow to ${maxLength} tokens, ${why} ${limit}: shorten the prompt or ask for fewer tokens`,
    );
    this.sequence = sequence;
    this.maxLength = maxLength;
    this.limit = limit;
  }
}

/** A sequence was added while one of the same id is here. Nothing has changed. */
export class DuplicateSequenceError extends KvasirError {
  /** The id as it was given. */
  readonly sequence: SequenceId;

  constructor(sequence: SequenceId) {
    super('ERR_DUPLICATE_SEQUENCE', `sequence ${sequence} is queued or running already: ids are never reused`);
    this.sequence = sequence;
  }
}
