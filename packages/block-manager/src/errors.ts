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

/** Pins would hold more of the pool than they may. Nothing has changed. */
export class PinLimitError extends KvasirError {
  /** Blocks that all pins together would hold. */
  readonly numBlocks: number;
  readonly maxBlocks: number;

  constructor(name: string, numBlocks: number, maxBlocks: number) {
    super(
      'ERR_PIN_LIMIT',
      `with pin '${name}' pins would hold ${numBlocks} blocks, expected at most ${maxBlocks}: unpin() another, pin fewer tokens, or raise maxPinnedShare`,
    );
    this.numBlocks = numBlocks;
    this.maxBlocks = maxBlocks;
  }
}

/** A sequence was used on whose blocks were to be brought by a step that failed. It can only be closed. */
export class SpoiltSequenceError extends KvasirError {
  /** The id as it was given. */
  readonly sequence: SequenceId;

  constructor(sequence: SequenceId) {
    super(
      'ERR_SPOILT_SEQUENCE',
      `sequence ${sequence} holds blocks whose transfer was abandoned: close() it and open it again`,
    );
    this.sequence = sequence;
  }
}
