import { KvasirError, type KvasirErrorOptions } from '@kvasir/interfaces';

/** A checkpoint contradicts itself, its format or its own sizes. Nothing was loaded. */
export class InvalidCheckpointError extends KvasirError {
  /** File at fault. */
  readonly file: string;
  /** Tensor, key or byte position inside it. */
  readonly where: string;

  constructor(file: string, where: string, problem: string, options: KvasirErrorOptions = {}) {
    super('ERR_INVALID_CHECKPOINT', `${file}: ${where}: ${problem}`, options);
    this.file = file;
    this.where = where;
  }
}
