import { KvasirError } from '@kvasir/interfaces';

/** A batch breaks the layout, a limit or a reference of its session. Nothing was run. */
export class InvalidStepError extends KvasirError {
  constructor(message: string) {
    super('ERR_INVALID_STEP', message);
  }
}
