import { InvalidCheckpointError } from '../../errors.js';

const MAX_DEPTH = 8;

/**
 * Parses a JSON object of a checkpoint. Unlike `JSON.parse` it refuses a key that occurs twice in one object (readers would disagree on
 * which one counts) and nesting deeper than a header needs.
 * @throws {@link InvalidCheckpointError}
 */
export function parseStrictJson(file: string, where: string, text: string): Record<string, unknown> {
  const value = parseStrictValue(file, where, text);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new InvalidCheckpointError(file, where, 'is no JSON object');
  }
  return value as Record<string, unknown>;
}

/** As {@link parseStrictJson}, for a JSON list. */
export function parseStrictJsonList(file: string, where: string, text: string): readonly unknown[] {
  const value = parseStrictValue(file, where, text);
  if (!Array.isArray(value)) throw new InvalidCheckpointError(file, where, 'is no JSON list');
  return value;
}

function parseStrictValue(file: string, where: string, text: string): unknown {
  try {
    checkDepthAndKeys(file, where, text);
    return JSON.parse(text);
  } catch (cause) {
    if (cause instanceof InvalidCheckpointError) throw cause;
    throw new InvalidCheckpointError(file, where, `is not valid JSON: ${(cause as Error).message}`, { cause });
  }
}

function checkDepthAndKeys(file: string, where: string, text: string): void {
  const open: (Set<string> | undefined)[] = [];
  for (let at = 0; at < text.length; at++) {
    switch (text[at]) {
      case '{':
      case '[':
        if (open.push(text[at] === '{' ? new Set() : undefined) <= MAX_DEPTH) break;
        throw new InvalidCheckpointError(file, where, `JSON is nested deeper than ${MAX_DEPTH} at character ${at}`);
      case '}':
      case ']':
        open.pop();
        break;
      case '"': {
        const end = stringEnd(text, at);
        if (open.at(-1) !== undefined && isKey(text, end))
          addKey(file, where, open.at(-1) as Set<string>, text.slice(at, end));
        at = end - 1;
      }
    }
  }
}

/** Index behind the closing quote. */
function stringEnd(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === '"') return at + 1;
  }
  return text.length;
}

function isKey(text: string, end: number): boolean {
  let at = end;
  while (text[at] === ' ' || text[at] === '\n' || text[at] === '\r' || text[at] === '\t') at++;
  return text[at] === ':';
}

function addKey(file: string, where: string, keys: Set<string>, quoted: string): void {
  const key = JSON.parse(quoted) as string;
  if (keys.has(key)) throw new InvalidCheckpointError(file, where, `the key '${key}' occurs twice`);
  keys.add(key);
}
