import { RequestError } from '../errors.js';
import { describeValue } from '../requests/describe-value.js';

/** The error for a bad value at `path`. */
export function invalidField(path: string, value: unknown, expected: string): RequestError {
  return new RequestError('ERR_INVALID_FIELD', `'${path}' is ${describeValue(value)}, expected ${expected}`, path);
}

/** The error for a field that is needed and absent. */
export function missingField(path: string, expected: string): RequestError {
  return new RequestError('ERR_MISSING_FIELD', `'${path}' is missing, expected ${expected}; add it`, path);
}

/** @throws {@link RequestError} When `text` holds half a surrogate pair. */
export function wellFormed(text: string, path: string): string {
  const at = text.search(/[\ud800-\udfff]/u);
  if (at === -1) return text;
  throw new RequestError(
    'ERR_INVALID_FIELD',
    `'${path}' has half a surrogate pair at index ${at}, expected whole characters; cut text between characters`,
    path,
  );
}
