import { KvasirError } from '@kvasir/interfaces';

/** OpenAI's error object. */
export interface ErrorBody {
  readonly error: {
    readonly message: string;
    readonly type: string;
    readonly param: string | null;
    readonly code: string | null;
  };
}

/** How an error goes over the wire. */
export interface WireError {
  readonly status: number;
  readonly body: ErrorBody;
  readonly headers: Readonly<Record<string, string>>;
  /** The server is to blame: worth an error line in its log. */
  readonly isInternal: boolean;
}

interface Rule {
  readonly status: number;
  readonly code: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Replaces a library's message that does not say what to do. */
  readonly message?: string;
}

const RETRY_SOON = { 'retry-after': '1' };
const RETRY_LATER = { 'retry-after': '5' };

/** The one place where error codes meet HTTP statuses. Anything else is a 500. */
const ERROR_TABLE: Readonly<Record<string, Rule>> = {
  ERR_INVALID_FIELD: { status: 400, code: 'invalid_value' },
  ERR_MISSING_FIELD: { status: 400, code: 'missing_required_parameter' },
  ERR_UNKNOWN_FIELD: { status: 400, code: 'unknown_parameter' },
  ERR_UNSUPPORTED_FIELD: { status: 400, code: 'unsupported_parameter' },
  ERR_CONTEXT_LENGTH: { status: 400, code: 'context_length_exceeded' },
  ERR_PROMPT_TOO_LONG: { status: 400, code: 'context_length_exceeded' },
  ERR_SEQUENCE_TOO_LONG: { status: 400, code: 'context_length_exceeded' },
  ERR_INVALID_ARGUMENT: { status: 400, code: 'invalid_value' },
  ERR_UNSUPPORTED: { status: 400, code: 'unsupported_value' },
  ERR_INVALID_JSON: { status: 400, code: 'invalid_json' },
  ERR_INVALID_UTF8: { status: 400, code: 'invalid_utf8' },
  ERR_NO_CHAT_TEMPLATE: { status: 400, code: 'no_chat_template' },
  ERR_CHAT_TEMPLATE: { status: 400, code: 'invalid_messages' },
  ERR_UNAUTHORIZED: { status: 401, code: 'invalid_api_key', headers: { 'www-authenticate': 'Bearer' } },
  ERR_UNKNOWN_MODEL: { status: 404, code: 'model_not_found' },
  ERR_UNSUITABLE_MODEL: { status: 404, code: 'unsuitable_model' },
  ERR_UNKNOWN_ROUTE: { status: 404, code: 'unknown_url' },
  ERR_METHOD_NOT_ALLOWED: { status: 405, code: 'method_not_allowed' },
  ERR_MEDIA_TYPE: { status: 415, code: 'unsupported_media_type' },
  ERR_QUEUE_FULL: { status: 429, code: 'queue_full', headers: RETRY_SOON },
  ERR_CHAT_TEMPLATE_TIMEOUT: { status: 503, code: 'template_timeout', headers: RETRY_SOON },
  ERR_DRAINING: { status: 503, code: 'shutting_down', headers: RETRY_LATER },
  ERR_GENERATION_ABORTED: { status: 503, code: 'generation_aborted', headers: RETRY_LATER },
  ERR_ENGINE_CLOSED: { status: 503, code: 'engine_closed', headers: RETRY_LATER },
  ERR_DEADLINE_EXCEEDED: { status: 504, code: 'deadline_exceeded' },
  ERR_STEP_FAILED: { status: 500, code: 'step_failed' },
  ERR_BATCH_FAILED: { status: 500, code: 'batch_failed' },
  ERR_GENERATION_FAILED: { status: 500, code: 'generation_failed' },
  FST_ERR_VALIDATION: { status: 400, code: 'invalid_value' },
  FST_ERR_CTP_BODY_TOO_LARGE: { status: 413, code: 'body_too_large' },
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: {
    status: 400,
    code: 'invalid_content_length',
    message: 'the body is not as long as content-length says; send the number of bytes that the body has',
  },
  FST_ERR_BAD_URL: {
    status: 400,
    code: 'invalid_url',
    message: 'the path of the URL is not valid percent-encoding; encode it as UTF-8 bytes',
  },
  HPE_HEADER_OVERFLOW: {
    status: 431,
    code: 'headers_too_large',
    message: 'the headers are larger than the server accepts; send fewer or shorter ones',
  },
  ERR_HTTP_REQUEST_TIMEOUT: {
    status: 408,
    code: 'request_timeout',
    message: 'the request did not arrive in time; send it faster or in smaller bodies',
  },
};

/**
 * Turns whatever was thrown into what the client sees. Messages of unexpected errors stay in the log.
 * @param requestId - Named in the message of a 500, so that its log line can be found.
 */
export function toWireError(error: unknown, requestId: string): WireError {
  const code = errorCode(error);
  const rule = code === undefined ? undefined : ERROR_TABLE[code];
  if (rule === undefined) {
    const message = `internal error; the server's log has it under request id ${requestId}`;
    return wireError(500, message, null, 'internal_error', {}, true);
  }
  const message = rule.message ?? (error as Error).message;
  const headers = { ...rule.headers, ...retryAfterOf(error) };
  return wireError(rule.status, message, parameterOf(error), rule.code, headers, rule.status === 500);
}

function wireError(
  status: number,
  message: string,
  param: string | null,
  code: string,
  headers: Readonly<Record<string, string>>,
  isInternal: boolean,
): WireError {
  return { status, body: { error: { message, type: errorType(status), param, code } }, headers, isInternal };
}

function errorType(status: number): string {
  if (status === 401) return 'authentication_error';
  if (status === 429) return 'rate_limit_error';
  return status < 500 ? 'invalid_request_error' : 'server_error';
}

function errorCode(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const code: unknown = (error as { code?: unknown }).code;
  return typeof code === 'string' && Object.hasOwn(ERROR_TABLE, code) ? code : undefined;
}

/** Whole seconds, as the header has them, of what the engine measured. */
function retryAfterOf(error: unknown): Readonly<Record<string, string>> {
  const ms: unknown = (error as { retryAfterMs?: unknown }).retryAfterMs;
  return typeof ms === 'number' && ms > 0 ? { 'retry-after': String(Math.ceil(ms / 1000)) } : {};
}

function parameterOf(error: unknown): string | null {
  if (!KvasirError.isInstance(error)) return null;
  const parameter: unknown = (error as { parameter?: unknown }).parameter;
  return typeof parameter === 'string' ? parameter : null;
}
