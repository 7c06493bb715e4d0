import { KvasirError, type SequenceId } from '@kvasir/interfaces';

/** A sequence was named that is not open: it was never opened, or is closed already. Nothing has changed. */
export class UnknownSequenceError extends KvasirError {
  /** The id as it was given. */
  readonly sequence: SequenceId;

  constructor(sequence: SequenceId) {
    super(
      'ERR_UNKNOWN_SEQUENCE',
      `sequence ${sequence} is not open: call open() or fork() first, and close() only once`,
    );
    this.sequence = sequence;
  }
}

/** A sequence was opened twice. Nothing has changed. */
export class DuplicateSequenceError extends KvasirError {
  /** The id as it was given. */
  readonly sequence: SequenceId;

  constructor(sequence: SequenceId) {
    super('ERR_DUPLICATE_SEQUENCE', `sequence ${sequence} is open already: close() it first, or use another id`);
    this.sequence = sequence;
  }
}
