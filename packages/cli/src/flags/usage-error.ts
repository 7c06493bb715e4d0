import { KvasirError } from '@kvasir/interfaces';

/** The command line, an environment variable or the config file is wrong; the process exits with 2. */
export class UsageError extends KvasirError {
  constructor(message: string) {
    super('ERR_USAGE', message);
  }
}
