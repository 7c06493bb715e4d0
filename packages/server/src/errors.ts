import { KvasirError, type KvasirErrorOptions } from '@kvasir/interfaces';

/** Codes of {@link RequestError}; `ERROR_TABLE` gives each its HTTP status. */
export type RequestErrorCode =
  | 'ERR_CONTEXT_LENGTH'
  | 'ERR_DRAINING'
  | 'ERR_GENERATION_ABORTED'
  | 'ERR_GENERATION_FAILED'
  | 'ERR_INVALID_FIELD'
  | 'ERR_INVALID_JSON'
  | 'ERR_INVALID_UTF8'
  | 'ERR_MEDIA_TYPE'
  | 'ERR_METHOD_NOT_ALLOWED'
  | 'ERR_MISSING_FIELD'
  | 'ERR_NO_CHAT_TEMPLATE'
  | 'ERR_UNAUTHORIZED'
  | 'ERR_UNKNOWN_FIELD'
  | 'ERR_UNKNOWN_MODEL'
  | 'ERR_UNKNOWN_ROUTE'
  | 'ERR_UNSUITABLE_MODEL'
  | 'ERR_UNSUPPORTED_FIELD';

/** An HTTP request that cannot be served; `parameter` is the path of the field to blame, `messages[0].role` say. */
export class RequestError extends KvasirError {
  readonly parameter: string | undefined;

  constructor(code: RequestErrorCode, message: string, parameter?: string, options: KvasirErrorOptions = {}) {
    super(code, message, options);
    this.parameter = parameter;
  }
}

/** The server cannot listen where it was told to; `address` is what was asked for. */
export class ListenError extends KvasirError {
  readonly address: string;

  constructor(address: string, message: string, options: KvasirErrorOptions = {}) {
    super('ERR_LISTEN', message, options);
    this.address = address;
  }
}
