import { RequestError } from '../errors.js';
import { closestName } from './closest-name.js';
import { describeValue, quote } from './describe-value.js';

/** Inclusive bounds of a number. */
export interface Bounds {
  readonly min: number;
  readonly max?: number;
}

/**
 * Reads the fields of one JSON object by name. Every name that is read counts as known, and {@link FieldReader.finish}
 * refuses whatever was not read, so a field cannot be dropped silently. `null` means absent.
 */
export class FieldReader {
  readonly #object: Readonly<Record<string, unknown>>;
  readonly #path: string;
  readonly #known = new Set<string>();

  /** @param path - Where the object stands, `messages[0]` say; `''` for the body. */
  constructor(value: unknown, path = '') {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      const what = path === '' ? 'the body' : `'${path}'`;
      const hint = path === '' ? '; send {...} with content-type application/json' : '';
      throw new RequestError(
        'ERR_INVALID_FIELD',
        `${what} is ${value === undefined ? 'empty' : describeValue(value)}, expected a JSON object${hint}`,
        path === '' ? undefined : path,
      );
    }
    this.#object = value as Readonly<Record<string, unknown>>;
    this.#path = path;
  }

  /** Full path of a field of this object. */
  path(name: string): string {
    return this.#path === '' ? name : `${this.#path}.${name}`;
  }

  /** The value as it came; `undefined` when absent or `null`. */
  raw(name: string): unknown {
    this.#known.add(name);
    const value = Object.hasOwn(this.#object, name) ? this.#object[name] : undefined;
    return value === null ? undefined : value;
  }

  boolean(name: string): boolean | undefined {
    const value = this.raw(name);
    if (value === undefined || typeof value === 'boolean') return value;
    throw this.invalid(name, value, 'true or false');
  }

  integer(name: string, bounds: Bounds): number | undefined {
    const value = this.raw(name);
    if (value === undefined) return undefined;
    if (Number.isSafeInteger(value) && isWithin(value as number, bounds)) return value as number;
    throw this.invalid(name, value, `an integer ${describeBounds(bounds)}`);
  }

  number(name: string, bounds: Bounds): number | undefined {
    const value = this.raw(name);
    if (value === undefined) return undefined;
    if (typeof value === 'number' && isWithin(value, bounds)) return value;
    throw this.invalid(name, value, `a number ${describeBounds(bounds)}`);
  }

  /** Text; half a surrogate pair is refused, because it has no UTF-8 form and so no tokens. */
  string(name: string): string | undefined {
    const value = this.raw(name);
    if (value === undefined) return undefined;
    if (typeof value !== 'string') throw this.invalid(name, value, 'a string');
    return wellFormed(value, this.path(name));
  }

  /** The fields of a nested object. */
  object(name: string): FieldReader | undefined {
    const value = this.raw(name);
    return value === undefined ? undefined : new FieldReader(value, this.path(name));
  }

  /** @throws {@link RequestError} When there is a field that nobody has read. */
  finish(): void {
    for (const name of Object.keys(this.#object)) {
      if (this.#known.has(name)) continue;
      const closest = closestName(name, this.#known);
      const hint = closest === undefined ? 'leave it out' : `did you mean '${closest}'?`;
      const place = this.#path === '' ? '' : ` in '${this.#path}'`;
      throw new RequestError(
        'ERR_UNKNOWN_FIELD',
        `field ${quote(name)}${place} is not known; ${hint}`,
        this.path(name.slice(0, 64)),
      );
    }
  }

  /** The error for a value of the wrong type or outside its bounds. */
  invalid(name: string, value: unknown, expected: string): RequestError {
    return invalidField(this.path(name), value, expected);
  }

  /** The error for a field that is needed and absent. */
  missing(name: string, expected: string): RequestError {
    const path = this.path(name);
    return new RequestError('ERR_MISSING_FIELD', `'${path}' is missing, expected ${expected}; add it`, path);
  }
}

/** The error for a bad value at `path`. */
export function invalidField(path: string, value: unknown, expected: string): RequestError {
  return new RequestError('ERR_INVALID_FIELD', `'${path}' is ${describeValue(value)}, expected ${expected}`, path);
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

function isWithin(value: number, { min, max = Number.POSITIVE_INFINITY }: Bounds): boolean {
  return value >= min && value <= max;
}

function describeBounds({ min, max }: Bounds): string {
  return max === undefined ? `of at least ${min}` : `from ${min} to ${max}`;
}
