import { RequestError } from '../errors.js';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/** `{` and `}` are `[` and `]` with this bit set. */
const BRACE_BIT = 0x20;
const OPEN = 0x7b;
const CLOSE = 0x7d;
const MAX_REASON = 120;

/**
 * Parses a request body: strict UTF-8, nesting bounded before parsing. O(bytes).
 * @throws {@link RequestError} `ERR_INVALID_UTF8` or `ERR_INVALID_JSON`.
 */
export function parseJsonBody(bytes: Uint8Array, maxDepth: number): unknown {
  checkDepth(bytes, maxDepth);
  const text = decodeUtf8(bytes);
  if (text.trim() === '') {
    throw new RequestError('ERR_INVALID_JSON', 'the body is empty, expected a JSON object; send {...}');
  }
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw new RequestError(
      'ERR_INVALID_JSON',
      `the body is not JSON: ${reasonOf(cause)}; correct its syntax`,
      undefined,
      {
        cause,
      },
    );
  }
}

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new RequestError('ERR_INVALID_UTF8', 'the body is not valid UTF-8; encode it as UTF-8', undefined, { cause });
  }
}

function checkDepth(bytes: Uint8Array, maxDepth: number): void {
  let depth = 0;
  let inString = false;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]!;
    if (inString) {
      if (byte === BACKSLASH) i++;
      else if (byte === QUOTE) inString = false;
    } else if (byte === QUOTE) {
      inString = true;
    } else if ((byte | BRACE_BIT) === OPEN) {
      if (++depth > maxDepth) {
        throw new RequestError('ERR_INVALID_JSON', `the body nests deeper than ${maxDepth} levels; flatten it`);
      }
    } else if ((byte | BRACE_BIT) === CLOSE) {
      depth--;
    }
  }
}

/** What V8 says: where it stopped, and a short excerpt. */
function reasonOf(cause: unknown): string {
  const { message } = cause as Error;
  return message.length <= MAX_REASON ? message : `${message.slice(0, MAX_REASON)}...`;
}
